package io.cortado.constrain.schema;

import java.io.IOException;
import java.io.InputStream;
import java.io.UncheckedIOException;
import java.util.HashMap;
import java.util.Map;
import org.jspecify.annotations.Nullable;
import tools.jackson.databind.JsonNode;

/**
 * The meta-schemas of the drafts, as json-schema.org publishes them, for schemas that refer to one.
 */
final class MetaSchemas {
    private static final String FILE = "metaschemas.json";

    private MetaSchemas() {}

    /** Read when one is first asked for. */
    private static final class All {
        static final Map<String, String> TEXTS = read();
    }

    /** The text of the schema with this URI, without fragment; null where it is not one. */
    static @Nullable String text(String uri) {
        return All.TEXTS.get(uri);
    }

    private static Map<String, String> read() {
        try (InputStream in = MetaSchemas.class.getResourceAsStream(FILE)) {
            if (in == null) {
                throw new IllegalStateException("resource is missing: name=" + FILE);
            }
            Map<String, String> texts = new HashMap<>();
            for (JsonNode schema : Json.parse(in.readAllBytes())) {
                JsonNode id = schema.has("$id") ? schema.path("$id") : schema.path("id");
                texts.put(id.stringValue().replace("#", ""), schema.toString());
            }
            return texts;
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }
}
