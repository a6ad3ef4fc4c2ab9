package io.cortado.constrain.schema;

import com.code_intelligence.jazzer.junit.DictionaryEntries;
import com.code_intelligence.jazzer.junit.FuzzTest;
import io.cortado.api.Constraint.StructuralTags;
import io.cortado.api.Constraint.StructuralTags.Structure;
import io.cortado.api.EngineException;
import io.cortado.constrain.MaskWalk;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.stream.Stream;
import org.junit.jupiter.params.provider.MethodSource;

/**
 * Any lines as structural tags, the triggers first, then beginning, schema and end of each: masks
 * that hold what {@link MaskWalk} says, or a refusal.
 */
class TaggedTextFuzzTest {
    static Stream<byte[]> seeds() {
        return Stream.of(
                        "<f\n<f=a>\n{\"type\":\"integer\"}\n</f>\n<f=b>\n{\"enum\":[\"x\"]}\n</f>",
                        "<|call|>\n<|call|>f(\n{\"const\":1}\n)[END]",
                        "a ab b\nabc\ntrue\nc\nb\n{\"type\":\"null\"}\n\na\n{}\na",
                        "x<|call|>\nx<|call|>\n1\n",
                        "é\né\n{\"maxItems\":1}\né[END]é")
                .map(text -> text.getBytes(StandardCharsets.UTF_8));
    }

    @DictionaryEntries(value = {"<|call|>", "[END]", "<f=a>", "{\"type\":\"integer\"}"})
    @MethodSource("seeds")
    @FuzzTest
    void writesTaggedTextOrRefuses(byte[] input) {
        String[] lines = new String(input, StandardCharsets.UTF_8).split("\n", -1);
        List<Structure> structures = new ArrayList<>();
        for (int i = 1; i + 2 < lines.length; i += 3) {
            structures.add(new Structure(lines[i], lines[i + 1], lines[i + 2]));
        }
        StructuralTags tags;
        try {
            tags = new StructuralTags(structures, Arrays.asList(lines[0].split(" ")));
        } catch (EngineException refused) {
            return;
        }
        MaskWalk.checkOrRefuse(
                input,
                (unused, vocabulary) ->
                        TaggedText.compile(
                                tags.structures().stream()
                                        .map(s ->
                                                new TaggedText.Tag(s.begin(), s.schema(), s.end()))
                                        .toList(),
                                tags.triggers(),
                                TaggedText.Bounds.ANY,
                                SchemaOptions.DEFAULT,
                                vocabulary,
                                MaskWalk.LIMITS));
    }
}
