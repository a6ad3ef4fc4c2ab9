package io.cortado.gang;

import java.io.IOException;
import java.net.BindException;
import java.net.InetAddress;
import java.net.ServerSocket;
import java.util.concurrent.ThreadLocalRandom;

/** A port of this host at which nobody listens, and which the system gives to nobody by itself. */
final class FreePort {
    private static final int FIRST = 20_000;

    /** Where Linux begins with the ports that it gives to sockets that name none. */
    private static final int END = 32_768;

    private FreePort() {}

    static GangSettings.Place.Port next() throws IOException {
        while (true) {
            int port = ThreadLocalRandom.current().nextInt(FIRST, END);
            try (ServerSocket free = new ServerSocket(port, 1, InetAddress.getLoopbackAddress())) {
                return new GangSettings.Place.Port("127.0.0.1", free.getLocalPort());
            } catch (BindException taken) {
                Thread.onSpinWait();
            }
        }
    }
}
