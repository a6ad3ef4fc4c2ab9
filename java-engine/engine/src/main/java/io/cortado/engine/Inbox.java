package io.cortado.engine;

import java.util.concurrent.atomic.AtomicReference;
import java.util.function.Consumer;
import org.jspecify.annotations.Nullable;

/** Messages from any thread to the loop, lock-free: a stack that the loop takes whole and turns. */
final class Inbox<T> {
    private record Node<T>(T value, @Nullable Node<T> below) {}

    private final AtomicReference<@Nullable Node<T>> top = new AtomicReference<>();

    void put(T value) {
        Node<T> node;
        Node<T> below;
        do {
            below = top.get();
            node = new Node<>(value, below);
        } while (!top.compareAndSet(below, node));
    }

    boolean isEmpty() {
        return top.get() == null;
    }

    /** Hands over what has come, oldest first. */
    void drain(Consumer<T> consumer) {
        if (isEmpty()) {
            return;
        }
        Node<T> turned = null;
        for (Node<T> n = top.getAndSet(null); n != null; n = n.below()) {
            turned = new Node<>(n.value(), turned);
        }
        for (; turned != null; turned = turned.below()) {
            consumer.accept(turned.value());
        }
    }
}
