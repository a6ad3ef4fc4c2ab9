package io.cortado.api;

import java.util.Objects;
import tools.jackson.core.JacksonException;
import tools.jackson.core.StreamReadFeature;
import tools.jackson.databind.DeserializationFeature;
import tools.jackson.databind.json.JsonMapper;

/**
 * A record as the form of an answer: the JSON Schema of its values, and the record of such a text.
 * Immutable.
 *
 * <p>Components are records, enums, String, boolean, numbers, char, UUID, LocalDate, arrays, List
 * and Set of these, Map of them by strings or enums. Each is required, in the order of the record,
 * but for {@code Optional}, which may be left out; one with an annotation named {@code Nullable}
 * may be null, where that annotation is there at run time. Of Jackson's annotations {@code
 * JsonProperty} (the name, {@code isRequired}, {@code access}; on enum constants the name), {@code
 * JsonPropertyDescription} and {@code JsonIgnore} are followed, {@code JsonAlias} and {@code
 * JsonInclude} do not matter, and others are refused. So is what has no value: an enum without
 * constants, and a record that needs one of its own kind within it. A record that is not public, or
 * not of an exported package, has to be open to this module. {@link StructuredOutput} makes errors
 * of the compiler of all this.
 */
public final class RecordType<T extends Record> {
    private static final JsonMapper MAPPER =
            JsonMapper.builder()
                    .enable(StreamReadFeature.STRICT_DUPLICATE_DETECTION)
                    .enable(DeserializationFeature.USE_BIG_DECIMAL_FOR_FLOATS)
                    .enable(DeserializationFeature.FAIL_ON_TRAILING_TOKENS)
                    .build();

    private final Class<T> type;
    private final ValueForm form;
    private final String schema;

    private RecordType(Class<T> type) {
        this.type = type;
        form = RecordForms.of(type);
        schema = form.schema().toString();
    }

    /**
     * @throws IllegalArgumentException if no schema can be derived, with the component and the
     *     reason
     */
    public static <T extends Record> RecordType<T> of(Class<T> type) {
        return new RecordType<>(type);
    }

    /** The schema as JSON, for prompts too: a model does not see what it is held to. */
    public String schema() {
        return schema;
    }

    /** Answers that are such a record. */
    public Constraint constraint() {
        return new Constraint.JsonSchema(schema);
    }

    /**
     * The record of a text that the schema accepts.
     *
     * @throws IllegalArgumentException if the text is not such a value, with the place, or if the
     *     record's constructor refuses it, with its exception as the cause
     */
    public T parse(String json) {
        Object value;
        try {
            value = form.reader().read(MAPPER.readTree(json), "");
        } catch (JacksonException e) {
            throw new IllegalArgumentException("not JSON: " + e.getOriginalMessage(), e);
        }
        return type.cast(Objects.requireNonNull(value));
    }
}
