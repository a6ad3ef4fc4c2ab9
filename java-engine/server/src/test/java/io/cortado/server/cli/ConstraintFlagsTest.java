package io.cortado.server.cli;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNull;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.cortado.api.Constraint;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import picocli.CommandLine;

class ConstraintFlagsTest {
    @TempDir Path folder;

    private static @Nullable Constraint read(String... flags) {
        return CommandLine.populateCommand(new ConstraintFlags(), flags).constraint();
    }

    @Test
    void takesTextsAndFiles() throws Exception {
        Path schema = Files.writeString(folder.resolve("schema.json"), "{\"type\":\"null\"}");
        Path grammar = Files.writeString(folder.resolve("a.gbnf"), "root ::= \"a\"");
        assertNull(read());
        assertEquals(new Constraint.JsonSchema("{}"), read("--json-schema", "{}"));
        assertEquals(
                new Constraint.JsonSchema("{\"type\":\"null\"}"),
                read("--json-schema", schema.toString()));
        assertEquals(new Constraint.JsonObject(), read("--json-object"));
        assertEquals(new Constraint.Regex("a|b"), read("--regex", "a|b"));
        assertEquals(
                new Constraint.Choice(List.of("a", "b")), read("--choice", "a", "--choice", "b"));
        assertEquals(new Constraint.Grammar("start: \"a\""), read("--grammar", "start: \"a\""));
        assertEquals(
                new Constraint.Grammar("root ::= \"a\""), read("--grammar", grammar.toString()));
    }

    @Test
    void takesStructuralTags() throws Exception {
        String json =
                "{\"structures\":[{\"begin\":\"<f>\",\"schema\":{},\"end\":\"</f>\"}],"
                        + "\"triggers\":[\"<f\"]}";
        Constraint expected =
                new Constraint.StructuralTags(
                        List.of(new Constraint.StructuralTags.Structure("<f>", "{}", "</f>")),
                        List.of("<f"));
        assertEquals(expected, read("--structural-tag", json));
        Path file = Files.writeString(folder.resolve("tags.json"), json);
        assertEquals(expected, read("--structural-tag", file.toString()));
        IllegalArgumentException e =
                assertThrows(
                        IllegalArgumentException.class,
                        () -> read("--structural-tag", json.replace("<f\"]", "x\"]")));
        assertTrue(String.valueOf(e.getMessage()).contains("trigger"), e.getMessage());
    }

    @Test
    void refusesTwoAndFilesThatAreNotThere() {
        assertThrows(IllegalArgumentException.class, () -> read("--json-object", "--regex", "a"));
        IllegalArgumentException e =
                assertThrows(
                        IllegalArgumentException.class,
                        () -> read("--json-schema", folder.resolve("none.json").toString()));
        assertTrue(String.valueOf(e.getMessage()).contains("none.json"), e.getMessage());
    }
}
