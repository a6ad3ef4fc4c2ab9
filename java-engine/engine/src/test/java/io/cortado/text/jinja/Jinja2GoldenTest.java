package io.cortado.text.jinja;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;

import java.io.IOException;
import java.io.InputStream;
import java.nio.charset.StandardCharsets;
import java.time.Clock;
import java.time.Instant;
import java.time.ZoneOffset;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import org.junit.jupiter.api.DynamicTest;
import org.junit.jupiter.api.TestFactory;
import tools.jackson.core.type.TypeReference;
import tools.jackson.databind.json.JsonMapper;

/**
 * Each builtin, operator and statement against Jinja2's own answer; ci/jinja-golden writes them.
 */
class Jinja2GoldenTest {
    private static final TemplateOptions OPTIONS =
            TemplateOptions.CHAT.clock(
                    Clock.fixed(Instant.parse("2025-07-10T12:00:00Z"), ZoneOffset.UTC));

    @TestFactory
    List<DynamicTest> agreesWithJinja2() throws IOException {
        JsonMapper json = JsonMapper.shared();
        List<String> rows = rows();
        Map<String, Object> variables =
                json.readValue(
                        rows.stream()
                                .filter(row -> row.startsWith("#vars "))
                                .findFirst()
                                .orElseThrow()
                                .substring(6),
                        new TypeReference<>() {});
        var tests = new ArrayList<DynamicTest>();
        for (String row : rows) {
            int tab = row.indexOf('\t');
            if (row.startsWith("#") && tab < 0) {
                continue;
            }
            String template = row.substring(0, tab).replace('\u23CE', '\n');
            String outcome = row.substring(tab + 1);
            tests.add(
                    DynamicTest.dynamicTest(
                            row.substring(0, tab), () -> check(template, outcome, variables)));
        }
        assertFalse(tests.isEmpty());
        return tests;
    }

    private static void check(String template, String outcome, Map<String, Object> variables) {
        if (outcome.equals("error") || outcome.equals("refused")) {
            assertThrows(TemplateException.class, () -> render(template, variables));
        } else {
            assertEquals(
                    JsonMapper.shared().readValue(outcome, String.class),
                    render(template, variables));
        }
    }

    private static String render(String template, Map<String, Object> variables) {
        return ChatTemplate.compile(template, OPTIONS).render(variables).text();
    }

    private static List<String> rows() throws IOException {
        try (InputStream in = Jinja2GoldenTest.class.getResourceAsStream("jinja2-golden.tsv")) {
            byte[] bytes = Objects.requireNonNull(in, "jinja2-golden.tsv").readAllBytes();
            return new String(bytes, StandardCharsets.UTF_8)
                    .lines()
                    .filter(row -> !row.isEmpty())
                    .toList();
        }
    }
}
