package io.cortado.server;

import java.time.Instant;
import java.time.temporal.ChronoUnit;
import java.util.function.Consumer;

/**
 * Log lines on standard error. They hold numbers, fixed words and escaped paths: never a prompt, an
 * output or a key.
 */
public final class Log {
    private static final int MAX_CHARS = 256;

    private final Consumer<String> sink;

    Log(Consumer<String> sink) {
        this.sink = sink;
    }

    /** Lines on standard error. */
    public static Log standardError() {
        return new Log(System.err::println);
    }

    void info(String line) {
        write("INFO", line);
    }

    void error(String line) {
        write("ERROR", line);
    }

    /** What went wrong in our own code: the place, not the message, which may quote a request. */
    void fault(String requestId, Throwable fault) {
        StringBuilder places = new StringBuilder();
        StackTraceElement[] trace = fault.getStackTrace();
        for (int i = 0; i < Math.min(8, trace.length); i++) {
            places.append(i == 0 ? "" : " < ").append(trace[i]);
        }
        error("request=" + requestId + " fault=" + fault.getClass().getName() + " at " + places);
    }

    private void write(String level, String line) {
        sink.accept(Instant.now().truncatedTo(ChronoUnit.MILLIS) + " " + level + " " + line);
    }

    /** Control characters, quotes and what is not ASCII as escapes; cut at 256 characters. */
    static String escape(String text) {
        StringBuilder out = new StringBuilder();
        for (int i = 0; i < Math.min(MAX_CHARS, text.length()); i++) {
            char c = text.charAt(i);
            if (c < 0x20 || c >= 0x7f || c == '"' || c == '\\') {
                out.append(String.format("\\u%04x", (int) c));
            } else {
                out.append(c);
            }
        }
        return text.length() > MAX_CHARS ? out.append("...").toString() : out.toString();
    }
}
