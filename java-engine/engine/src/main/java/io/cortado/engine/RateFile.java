package io.cortado.engine;

import io.cortado.device.Curve;
import io.cortado.device.DeviceInfo;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.AtomicMoveNotSupportedException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.time.DateTimeException;
import java.time.Instant;
import java.util.HexFormat;
import java.util.Map;
import java.util.TreeMap;
import java.util.function.UnaryOperator;
import org.jspecify.annotations.Nullable;
import tools.jackson.core.JacksonException;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.json.JsonMapper;
import tools.jackson.databind.node.ArrayNode;
import tools.jackson.databind.node.ObjectNode;

/**
 * A JSON file with what was measured of one device by one build of the library. Another device,
 * processor, number of threads, instruction set or build has another file.
 */
final class RateFile {
    private static final int VERSION = 1;
    private static final long MAX_BYTES = 1 << 20;
    private static final int MAX_CURVES = 4096;
    private static final int MAX_POINTS = 256;

    private final Path path;
    private final Map<String, String> key;

    /**
     * @param measured when the first of the curves was
     */
    record Content(Instant measured, Map<String, Curve> curves) {
        Content {
            curves = new TreeMap<>(curves);
        }
    }

    private RateFile(Path path, Map<String, String> key) {
        this.path = path;
        this.key = key;
    }

    /**
     * @param library names the build of the native library
     */
    static RateFile of(Path folder, DeviceInfo info, String library) {
        Map<String, String> key = new TreeMap<>();
        key.put("device", info.name());
        key.put("processor", info.processor());
        key.put("threads", Integer.toString(info.threads()));
        key.put("isa", info.isa());
        key.put("library", library);
        String name = info.name().replaceAll("[^A-Za-z0-9]", "-");
        return new RateFile(folder.resolve("rates-%s-%s.json".formatted(name, digest(key))), key);
    }

    /** {@code cortado} in the user's cache folder. */
    static Path folder(UnaryOperator<@Nullable String> environment) {
        String xdg = environment.apply("XDG_CACHE_HOME");
        Path base =
                xdg == null || xdg.isBlank()
                        ? Path.of(System.getProperty("user.home"), ".cache")
                        : Path.of(xdg);
        return base.resolve("cortado");
    }

    private static String digest(Map<String, String> key) {
        try {
            byte[] hash =
                    MessageDigest.getInstance("SHA-256")
                            .digest(key.toString().getBytes(StandardCharsets.UTF_8));
            return HexFormat.of().formatHex(hash, 0, 8);
        } catch (NoSuchAlgorithmException e) {
            throw new IllegalStateException(e); // every JDK has it
        }
    }

    Path path() {
        return path;
    }

    /**
     * What the file holds; null where there is none.
     *
     * @throws IOException if it cannot be used, with the reason
     */
    @Nullable Content read() throws IOException {
        if (!Files.isRegularFile(path)) {
            return null;
        }
        if (Files.size(path) > MAX_BYTES) {
            throw new IOException("%s has more than %d bytes".formatted(path, MAX_BYTES));
        }
        try {
            return content(JsonMapper.shared().readTree(Files.readAllBytes(path)));
        } catch (JacksonException | IllegalArgumentException | DateTimeException e) {
            throw new IOException(path + " is malformed: " + e.getMessage(), e);
        }
    }

    private Content content(JsonNode root) {
        require(root.path("version").asInt(0) == VERSION, "version must be " + VERSION);
        key.forEach((name, value) ->
                require(root.path(name).asString("").equals(value), name + " must be " + value));
        JsonNode curves = root.path("curves");
        require(curves.isObject() && curves.size() <= MAX_CURVES, "curves must be an object");
        Map<String, Curve> found = new TreeMap<>();
        curves.properties()
                .forEach(entry ->
                        found.put(
                                entry.getKey(),
                                new Curve(
                                        numbers(entry.getValue().path("sizes")),
                                        numbers(entry.getValue().path("values")))));
        return new Content(Instant.parse(root.path("measured").asString("")), found);
    }

    private static void require(boolean holds, String what) {
        if (!holds) {
            throw new IllegalArgumentException(what);
        }
    }

    private static double[] numbers(JsonNode list) {
        require(list.isArray() && list.size() <= MAX_POINTS, "a curve must have two arrays");
        return list.valueStream().mapToDouble(number -> number.asDouble(Double.NaN)).toArray();
    }

    /** Replaces the file; a reader sees the old one or the new one. */
    void write(Content content) throws IOException {
        ObjectNode root = JsonMapper.shared().createObjectNode();
        root.put("version", VERSION);
        key.forEach(root::put);
        root.put("measured", content.measured().toString());
        ObjectNode curves = root.putObject("curves");
        content.curves()
                .forEach((name, curve) -> {
                    ObjectNode node = curves.putObject(name);
                    put(node.putArray("sizes"), curve.sizes());
                    put(node.putArray("values"), curve.values());
                });
        Path folder = path.toAbsolutePath().getParent();
        if (folder != null) {
            Files.createDirectories(folder);
        }
        Path fresh = Files.createTempFile(folder, "rates-", ".tmp");
        try {
            Files.write(fresh, JsonMapper.shared().writeValueAsBytes(root));
            move(fresh);
        } finally {
            Files.deleteIfExists(fresh);
        }
    }

    private void move(Path fresh) throws IOException {
        try {
            Files.move(fresh, path, StandardCopyOption.ATOMIC_MOVE);
        } catch (AtomicMoveNotSupportedException e) {
            Files.move(fresh, path, StandardCopyOption.REPLACE_EXISTING);
        }
    }

    private static void put(ArrayNode to, double[] values) {
        for (double value : values) {
            to.add(value);
        }
    }
}
