package io.cortado.gang;

import io.cortado.device.UcxWorker;
import java.util.Map;

/**
 * Which rank this process is, and where ranks find one another: what whoever starts the processes
 * tells each in its environment.
 *
 * @param rank from 0, below size
 * @param size ranks of the gang
 * @param place {@code HOST:PORT}, where rank 0 listens, or a folder that all ranks see, which the
 *     gang has to itself
 */
public record GangSettings(int rank, int size, Place place) {
    /** Where ranks find one another. */
    public sealed interface Place {
        /** Where rank 0 listens. */
        record Port(String host, int port) implements Place {
            @Override
            public String toString() {
                return host.contains(":") ? "[%s]:%d".formatted(host, port) : host + ":" + port;
            }
        }

        /** What all ranks see; has a slash in it. */
        record Folder(String path) implements Place {
            @Override
            public String toString() {
                return path;
            }
        }
    }

    private static final int MAX_PORT = 65_535;

    public GangSettings {
        if (size < 1 || size > UcxWorker.maxRanks()) {
            throw new IllegalArgumentException(
                    "WORLD_SIZE must be in [1, %d]: WORLD_SIZE=%d"
                            .formatted(UcxWorker.maxRanks(), size));
        }
        if (rank < 0 || rank >= size) {
            throw new IllegalArgumentException(
                    "RANK must be in [0, WORLD_SIZE): RANK=%d WORLD_SIZE=%d".formatted(rank, size));
        }
    }

    /** Whether a process is told to be a rank: any of the variables is set. */
    public static boolean areIn(Map<String, String> environment) {
        return environment.containsKey("RANK")
                || environment.containsKey("WORLD_SIZE")
                || environment.containsKey("RENDEZVOUS");
    }

    /**
     * Reads RANK, WORLD_SIZE and RENDEZVOUS.
     *
     * @throws IllegalArgumentException if one is missing or wrong; names the variable and its value
     */
    public static GangSettings of(Map<String, String> environment) {
        return new GangSettings(
                number(environment, "RANK"),
                number(environment, "WORLD_SIZE"),
                place(required(environment, "RENDEZVOUS")));
    }

    private static String required(Map<String, String> environment, String name) {
        String value = environment.get(name);
        if (value == null || value.isBlank()) {
            throw new IllegalArgumentException(
                    "a rank needs RANK, WORLD_SIZE and RENDEZVOUS; %s is not set".formatted(name));
        }
        return value.strip();
    }

    private static int number(Map<String, String> environment, String name) {
        String value = required(environment, name);
        try {
            return Integer.parseInt(value);
        } catch (NumberFormatException e) {
            throw new IllegalArgumentException(
                    "%s must be an integer: %s=%s".formatted(name, name, value), e);
        }
    }

    private static Place place(String value) {
        if (value.contains("/")) {
            return new Place.Folder(value);
        }
        int colon = value.lastIndexOf(':');
        String host = colon < 0 ? "" : value.substring(0, colon);
        boolean isBracketed = host.startsWith("[") && host.endsWith("]");
        if (isBracketed) {
            host = host.substring(1, host.length() - 1);
        }
        int port = port(value.substring(colon + 1));
        if (host.isEmpty() || port < 0 || (host.contains(":") && !isBracketed)) {
            throw new IllegalArgumentException(
                    ("RENDEZVOUS must be HOST:PORT with a port in [1, %d], [IPv6]:PORT, or a folder"
                                    + " with a slash in it: RENDEZVOUS=%s")
                            .formatted(MAX_PORT, value));
        }
        return new Place.Port(host, port);
    }

    /** -1: it is none. */
    private static int port(String value) {
        try {
            int port = Integer.parseInt(value);
            return port >= 1 && port <= MAX_PORT ? port : -1;
        } catch (NumberFormatException e) {
            return -1;
        }
    }
}
