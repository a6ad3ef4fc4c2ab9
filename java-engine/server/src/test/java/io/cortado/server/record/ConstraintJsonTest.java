package io.cortado.server.record;

import static org.junit.jupiter.api.Assertions.assertEquals;

import io.cortado.api.Constraint;
import io.cortado.api.Constraint.StructuralTags.Structure;
import io.cortado.api.JsonStyle;
import io.cortado.api.Reasoning;
import io.cortado.server.JsonOut;
import java.util.List;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;
import tools.jackson.databind.json.JsonMapper;

class ConstraintJsonTest {
    static List<Constraint> constraints() {
        return List.of(
                new Constraint.JsonSchema("{\"type\":\"null\"}"),
                new Constraint.JsonObject(),
                new Constraint.JsonSchema(
                        "{}",
                        new JsonStyle(
                                JsonStyle.Whitespace.NONE, JsonStyle.PropertyOrder.ANY, true)),
                new Constraint.Regex("a\"\\d"),
                new Constraint.Choice(List.of("yes", "no\n")),
                new Constraint.Grammar("root ::= \"x\""),
                new Constraint.StructuralTags(
                        List.of(new Structure("<a>", "{}", "</a>"), new Structure("<b", "1", "")),
                        List.of("<")),
                new Constraint.StructuralTags(
                        List.of(new Structure("<a>", "{}", "")),
                        List.of("<"),
                        true,
                        true,
                        JsonStyle.DEFAULT),
                new Constraint.AfterReasoning(
                        new Constraint.Regex("a"), new Reasoning("<think>", "</think>")));
    }

    @ParameterizedTest
    @MethodSource("constraints")
    void readsWhatItWrites(Constraint constraint) {
        JsonOut out = new JsonOut();
        ConstraintJson.write(out, constraint);
        assertEquals(constraint, ConstraintJson.read(JsonMapper.shared().readTree(out.toString())));
    }
}
