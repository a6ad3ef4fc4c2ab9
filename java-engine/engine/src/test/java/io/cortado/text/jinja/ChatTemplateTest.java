package io.cortado.text.jinja;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.cortado.text.Segment;
import java.time.Clock;
import java.time.Instant;
import java.time.ZoneOffset;
import java.util.Collections;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Test;

class ChatTemplateTest {
    @Test
    void saysWhichTextCameFromAClient() {
        var template =
                ChatTemplate.compile(
                        "{{ bos_token }}[{{ '<s>' + m.content|trim ~ '</s>' }}]{{ m.content[1:3]|upper }}");
        var rendered = template.render(Map.of("bos_token", "<b>", "m", Map.of("content", " hi ")));
        assertEquals("<b>[<s>hi</s>]HI", rendered.text());
        assertEquals(
                List.of(
                        Segment.template("<b>[<s>"),
                        Segment.user("hi"),
                        Segment.template("</s>]"),
                        Segment.user("HI")),
                rendered.segments());
    }

    @Test
    void whatIsComputedFromClientTextIsTheClients() {
        Map<String, Object> vars =
                Map.of("u", "<|im_X|>", "list", List.of("<|x|>"), "d", Map.of("<|k|", "<|v|>"));
        for (String expr :
                List.of(
                        "u|replace('X', 'end')",
                        "u|lower",
                        "u.split('X')|join(u)",
                        "u|tojson",
                        "u|indent(2)",
                        "list|string",
                        "u * 2",
                        "u[::-1]",
                        "dict(**d)",
                        "namespace(**d)",
                        "namespace(d)",
                        "'{0}'.format(**d) if false else '{0!r:>20}'.format(u)",
                        "('{:' ~ '|' ~ '>20}').format('')",
                        "strftime_now(u)",
                        "d|items|list",
                        "d|xmlattr",
                        "[d]|map('tojson')|join")) {
            for (Segment segment :
                    ChatTemplate.compile("{{ " + expr + " }}").render(vars).segments()) {
                assertTrue(
                        segment.origin() == io.cortado.text.Origin.USER
                                || !segment.text().contains("|"),
                        expr + " " + segment);
            }
        }
        for (Segment segment :
                ChatTemplate.compile("{% macro m() %}{{ kwargs }}{% endmacro %}{{ m(**d) }}")
                        .render(vars)
                        .segments()) {
            assertTrue(
                    segment.origin() == io.cortado.text.Origin.USER
                            || !segment.text().contains("|"),
                    segment.toString());
        }
        assertEquals(
                List.of(Segment.template("<|im_end|>"), Segment.user("<|im_end|>")),
                ChatTemplate.compile("{{ ('<|im_X|>' ~ u)|replace('X', 'end') }}")
                        .render(vars)
                        .segments());
        assertEquals(
                List.of(Segment.template("  <|A|>"), Segment.user("<|IM_X|>")),
                ChatTemplate.compile("{{ ('<|a|>' ~ u)|upper|indent(2, true) }}")
                        .render(vars)
                        .segments());
        var rendered = ChatTemplate.compile("{{ '<|start|>%s<|end|>' % u }}").render(vars);
        assertEquals(
                List.of(
                        Segment.template("<|start|>"),
                        Segment.user("<|im_X|>"),
                        Segment.template("<|end|>")),
                rendered.segments());
    }

    @Test
    void printsAsPythonDoes() {
        assertEquals(
                "None True 1.0 1e+16 1e-05 ['a', \"it's\"] {'k': (1,)}",
                render(
                        "{{ none }} {{ true }} {{ 1.0 }} {{ 1e16 }} {{ 0.00001 }} {{ ['a', \"it's\"] }} {{ {'k': (1,)} }}"));
        assertEquals("{\"a\": [1, \"é<\"]}", render("{{ {'a': [1, 'é<']}|tojson }}"));
        assertEquals("{\n  \"a\": [\n    1\n  ]\n}", render("{{ {'a': [1]}|tojson(indent=2) }}"));
        assertEquals("-2 1 2.0 8", render("{{ -3 // 2 }} {{ -3 % 2 }} {{ 4 / 2 }} {{ 2 ** 3 }}"));
    }

    @Test
    void scopesFollowJinja() {
        assertEquals(
                "0",
                render("{% set x = 0 %}{% for i in range(3) %}{% set x = i %}{% endfor %}{{ x }}"));
        assertEquals(
                "2",
                render(
                        "{% set n = namespace(x=0) %}{% for i in range(3) %}{% set n.x = i %}{% endfor %}{{ n.x }}"));
        assertEquals(
                "1-02|",
                render(
                        "{% macro m(a, b='0') %}{{ a }}-{{ b }}{{ caller() if caller }}{% endmacro %}{% call m(1) %}2{% endcall %}|"));
        assertEquals(
                "1[2[3]]",
                render(
                        "{% for i in [[1, [[2, [[3, []]]]]]] recursive %}{{ i[0] }}{% if i[1] %}[{{ loop(i[1]) }}]{% endif %}{% endfor %}"));
        assertEquals(
                "024",
                render(
                        "{% for i in range(10) %}{% if i % 2 %}{% continue %}{% endif %}{% if i > 4 %}{% break %}{% endif %}{{ i }}{% endfor %}"));
    }

    @Test
    void slicesCountCodePoints() {
        assertEquals(
                "\uD83D\uDE00",
                ChatTemplate.compile("{{ s[1] }}").render(Map.of("s", "a\uD83D\uDE00b")).text());
        assertEquals(
                "b\uD83D\uDE00a 3",
                ChatTemplate.compile("{{ s[::-1] }} {{ s|length }}")
                        .render(Map.of("s", "a\uD83D\uDE00b"))
                        .text());
    }

    @Test
    void undefinedIsEmptyButNotUsable() {
        assertEquals(
                "|x|",
                render(
                        "{{ nothing }}|{{ nothing|default('x') }}|{% for i in nothing %}y{% endfor %}"));
        for (String use :
                List.of("nothing.a", "nothing + 'x'", "nothing()", "1 < nothing", "{}.a.b")) {
            assertThrows(TemplateException.class, () -> render("{{ " + use + " }}"), use);
        }
    }

    @Test
    void budgetsSayWhatRanOut() {
        refuses("too much text", "{{ 'x' * 2000000 }}");
        refuses("range too long", "{{ range(100001) }}");
        refuses("calls nested too deep", "{% macro m() %}{{ m() }}{% endmacro %}{{ m() }}");
        refuses(
                "template nested too deep",
                "{{ " + "(".repeat(5000) + "1" + ")".repeat(5000) + " }}");
        refuses("expression too long", "{{ 1" + "+1".repeat(5000) + " }}");
        assertThrows(TemplateException.class, () -> render("{{ 9223372036854775807 + 1 }}"));
    }

    @Test
    void deepVariablesAreRefused() {
        Object deep = List.of();
        for (int i = 0; i < 1000; i++) {
            deep = List.of(deep);
        }
        Map<String, Object> vars = Map.of("deep", deep);
        assertThrows(
                TemplateException.class, () -> ChatTemplate.compile("{{ deep }}").render(vars));
        assertThrows(
                TemplateException.class,
                () -> ChatTemplate.compile("x").render(Map.of("o", new Object())));
    }

    @Test
    void raisedErrorsKeepTheirMessage() {
        var error =
                assertThrows(
                        TemplateException.class,
                        () -> render("{{ raise_exception('roles must alternate') }}"));
        assertEquals("roles must alternate", error.getMessage());
        assertEquals(TemplateException.Kind.RAISED, error.kind());
    }

    @Test
    void syntaxErrorsNameTheLine() {
        var error = assertThrows(TemplateException.class, () -> render("a\nb\n{% iff x %}"));
        assertEquals(
                "template syntax: unknown tag: name=iff (template line 3)", error.getMessage());
    }

    @Test
    void clockIsInjectable() {
        var options =
                TemplateOptions.CHAT.clock(
                        Clock.fixed(Instant.parse("2025-07-04T05:06:07Z"), ZoneOffset.UTC));
        assertEquals(
                "04 Jul 2025 4 Friday",
                ChatTemplate.compile("{{ strftime_now('%d %b %Y %-d %A') }}", options)
                        .render(Map.of())
                        .text());
    }

    @Test
    void oneTemplateServesManyThreads() throws Exception {
        var template = ChatTemplate.compile("{% for m in ms %}{{ loop.index }}{{ m }}{% endfor %}");
        var wrong = Collections.synchronizedList(new java.util.ArrayList<String>());
        var threads = new java.util.ArrayList<Thread>();
        for (int t = 0; t < 4; t++) {
            String name = "t" + t;
            threads.add(
                    Thread.ofPlatform()
                            .start(() -> {
                                for (int i = 0; i < 500; i++) {
                                    String text =
                                            template.render(Map.of("ms", List.of(name, name)))
                                                    .text();
                                    if (!text.equals("1" + name + "2" + name)) {
                                        wrong.add(text);
                                    }
                                }
                            }));
        }
        for (Thread thread : threads) {
            thread.join();
        }
        assertEquals(List.of(), wrong);
    }

    private static String render(String template) {
        return ChatTemplate.compile(template).render(Map.of()).text();
    }

    private static void refuses(String reason, String template) {
        var error = assertThrows(TemplateException.class, () -> render(template), reason);
        assertEquals(TemplateException.Kind.BUDGET, error.kind());
        assertTrue(String.valueOf(error.getMessage()).contains(reason), error.getMessage());
    }
}
