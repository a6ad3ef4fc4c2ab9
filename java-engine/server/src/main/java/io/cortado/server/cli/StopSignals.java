package io.cortado.server.cli;

import java.lang.reflect.InvocationHandler;
import java.lang.reflect.Method;
import java.lang.reflect.Proxy;

/**
 * What SIGTERM and SIGINT do: the first one of them ends the process in order, through its shutdown
 * hooks; the next one ends it at once. Without this the JVM would ignore the second while the hooks
 * of the first still run.
 *
 * <p>{@code sun.misc.Signal} of the module jdk.unsupported is called by reflection, since the
 * compiler warns of each use that it sees and nothing takes that class's place.
 */
final class StopSignals implements InvocationHandler {
    private static final int SIGNAL_EXIT = 128;

    private boolean isStopping;

    private StopSignals() {}

    /** Does nothing on a JVM that has no such signals: they then end it as it sees fit. */
    static void install() {
        StopSignals signals = new StopSignals();
        try {
            Class<?> signal = Class.forName("sun.misc.Signal");
            Class<?> handler = Class.forName("sun.misc.SignalHandler");
            Object came =
                    Proxy.newProxyInstance(
                            StopSignals.class.getClassLoader(), new Class<?>[] {handler}, signals);
            for (String name : new String[] {"TERM", "INT"}) {
                signal.getMethod("handle", signal, handler)
                        .invoke(null, signal.getConstructor(String.class).newInstance(name), came);
            }
        } catch (ReflectiveOperationException e) {
            System.err.println("a second SIGTERM will not end the process at once: " + e);
        }
    }

    /** {@code SignalHandler.handle(Signal)}, on a thread of its own. */
    @Override
    public Object invoke(Object proxy, Method method, Object[] arguments)
            throws ReflectiveOperationException {
        Object signal = arguments[0];
        int number = (int) signal.getClass().getMethod("getNumber").invoke(signal);
        if (isFirst()) {
            System.exit(SIGNAL_EXIT + number);
        }
        System.err.println("stopped at once");
        Runtime.getRuntime().halt(SIGNAL_EXIT + number);
        return proxy; // not reached
    }

    private synchronized boolean isFirst() {
        boolean first = !isStopping;
        isStopping = true;
        return first;
    }
}
