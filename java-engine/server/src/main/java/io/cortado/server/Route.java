package io.cortado.server;

import java.util.List;

/**
 * A path and what answers it.
 *
 * @param path the whole path, or a beginning if {@code isPrefix}
 * @param method GET (and HEAD) or POST
 * @param isOpen needs no API key
 * @param isInference refused while the server drains
 */
record Route(
        String path,
        boolean isPrefix,
        String method,
        boolean isOpen,
        boolean isInference,
        Handler handler) {

    /** Answers an exchange on a virtual thread. */
    interface Handler {
        void handle(Exchange exchange) throws InterruptedException;
    }

    static Route get(String path, boolean isOpen, Handler handler) {
        return new Route(path, path.endsWith("/"), "GET", isOpen, false, handler);
    }

    static Route post(String path, Handler handler) {
        return new Route(path, false, "POST", false, true, handler);
    }

    boolean matches(String target) {
        return isPrefix
                ? target.startsWith(path) && target.length() > path.length()
                : target.equals(path);
    }

    boolean takes(String asked) {
        return asked.equals(method) || (asked.equals("HEAD") && method.equals("GET"));
    }

    String allow() {
        return String.join(
                ", ", method.equals("GET") ? List.of("GET", "HEAD", "OPTIONS") : List.of("POST", "OPTIONS"));
    }
}
