package io.cortado.engine;

import java.util.concurrent.atomic.AtomicReference;
import java.util.function.Consumer;
import org.jspecify.annotations.Nullable;

/**
 * Messages from any thread to the loop, lock-free: a stack that the loop takes whole and turns. To
 * take allocates nothing, so it goes on where memory has run out.
 */
final class Inbox<T> {
    private static final class Node<T> {
        final T value;
        @Nullable Node<T> below;

        Node(T value) {
            this.value = value;
        }
    }

    private final AtomicReference<@Nullable Node<T>> top = new AtomicReference<>();

    void put(T value) {
        push(new Node<>(value));
    }

    private void push(Node<T> node) {
        Node<T> below;
        do {
            below = top.get();
            node.below = below;
        } while (!top.compareAndSet(below, node));
    }

    boolean isEmpty() {
        return top.get() == null;
    }

    /**
     * Hands over what has come, oldest first. What a fault leaves behind is taken the next time.
     */
    void drain(Consumer<T> consumer) {
        if (isEmpty()) {
            return;
        }
        Node<T> oldest = turned(top.getAndSet(null));
        try {
            while (oldest != null) {
                Node<T> node = oldest;
                oldest = node.below;
                consumer.accept(node.value);
            }
        } finally {
            while (oldest != null) {
                Node<T> node = oldest;
                oldest = node.below;
                push(node);
            }
        }
    }

    private static <T> @Nullable Node<T> turned(@Nullable Node<T> stack) {
        Node<T> turned = null;
        Node<T> rest = stack;
        while (rest != null) {
            Node<T> node = rest;
            rest = node.below;
            node.below = turned;
            turned = node;
        }
        return turned;
    }
}
