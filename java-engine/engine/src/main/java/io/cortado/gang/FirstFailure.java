package io.cortado.gang;

import java.util.function.Consumer;
import org.jspecify.annotations.Nullable;

/** Why a gang has ended: the first reason counts, and is told to who asked for it. Any thread. */
final class FirstFailure {
    private volatile @Nullable GangException first;
    private @Nullable Consumer<GangException> told;

    @Nullable GangException get() {
        return first;
    }

    void set(GangException why) {
        setAndThen(why, () -> {});
    }

    /**
     * @param work done if this is the first, when it is known and before it is told
     * @return whether it is
     */
    boolean setAndThen(GangException why, Runnable work) {
        Consumer<GangException> listener;
        synchronized (this) {
            if (first != null) {
                return false;
            }
            first = why;
            listener = told;
        }
        work.run();
        if (listener != null) {
            listener.accept(why);
        }
        return true;
    }

    void tell(Consumer<GangException> listener) {
        GangException known;
        synchronized (this) {
            told = listener;
            known = first;
        }
        if (known != null) {
            listener.accept(known);
        }
    }
}
