package io.cortado.server.record;

import io.cortado.api.ModelInfo;
import io.cortado.server.JsonOut;
import io.cortado.server.Version;
import java.util.List;
import org.jspecify.annotations.Nullable;
import tools.jackson.databind.JsonNode;

/**
 * The first line of a recording.
 *
 * @param model the folder that was loaded; null: the bundled demo model
 * @param flags the engine's flags, as on a command line
 * @param architecture of the model
 * @param vocabSize of the model
 * @param numParameters of the model
 */
public record RecordHeader(
        @Nullable String model,
        List<String> flags,
        String architecture,
        int vocabSize,
        long numParameters) {
    private static final int FORMAT = 1;

    public RecordHeader {
        flags = List.copyOf(flags);
    }

    public static RecordHeader of(@Nullable String model, List<String> flags, ModelInfo info) {
        return new RecordHeader(
                model, flags, info.architecture(), info.vocabSize(), info.parameters());
    }

    /**
     * Refuses to compare with what another model answers.
     *
     * @throws IllegalArgumentException with what differs
     */
    public void requireSameModel(ModelInfo info) {
        if (!architecture.equals(info.architecture())
                || vocabSize != info.vocabSize()
                || numParameters != info.parameters()) {
            throw new IllegalArgumentException(
                    "the recording is of another model: recorded=%s/%d/%d loaded=%s/%d/%d"
                            .formatted(
                                    architecture,
                                    vocabSize,
                                    numParameters,
                                    info.architecture(),
                                    info.vocabSize(),
                                    info.parameters()));
        }
    }

    String json() {
        JsonOut out = new JsonOut().open().field("cortado_record", FORMAT);
        out.field("version", Version.text()).field("model", model).name("flags").openArray();
        flags.forEach(out::value);
        out.closeArray().field("architecture", architecture).field("vocab_size", vocabSize);
        return out.field("parameters", numParameters).close().toString();
    }

    static RecordHeader read(JsonNode node) {
        if (node.path("cortado_record").asInt(0) != FORMAT) {
            throw new IllegalArgumentException(
                    "the first line must be the head of a recording of format " + FORMAT);
        }
        return new RecordHeader(
                node.path("model").isString() ? node.path("model").stringValue() : null,
                node.path("flags").valueStream().map(JsonNode::stringValue).toList(),
                node.path("architecture").asString(""),
                node.path("vocab_size").asInt(0),
                node.path("parameters").asLong(0));
    }
}
