package io.cortado.constrain.schema;

import org.jspecify.annotations.Nullable;

/** A version of JSON Schema. */
public enum Draft {
    DRAFT_4("http://json-schema.org/draft-04/schema"),
    DRAFT_6("http://json-schema.org/draft-06/schema"),
    DRAFT_7("http://json-schema.org/draft-07/schema"),
    DRAFT_2019_09("https://json-schema.org/draft/2019-09/schema"),
    DRAFT_2020_12("https://json-schema.org/draft/2020-12/schema");

    private final String uri;

    Draft(String uri) {
        this.uri = uri;
    }

    /** By its meta-schema's URI, with or without an empty fragment; null where it is another's. */
    static @Nullable Draft of(String metaSchema) {
        String plain =
                metaSchema.endsWith("#")
                        ? metaSchema.substring(0, metaSchema.length() - 1)
                        : metaSchema;
        for (Draft draft : values()) {
            if (draft.uri.equals(plain) || draft.uri.equals(plain.replace("https:", "http:"))) {
                return draft;
            }
        }
        return null;
    }

    boolean isBefore(Draft other) {
        return compareTo(other) < 0;
    }

    /** The keyword that names a schema. */
    String idKeyword() {
        return this == DRAFT_4 ? "id" : "$id";
    }
}
