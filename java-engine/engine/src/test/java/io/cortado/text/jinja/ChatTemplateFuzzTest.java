package io.cortado.text.jinja;

import static org.junit.jupiter.api.Assertions.assertEquals;

import com.code_intelligence.jazzer.junit.FuzzTest;
import io.cortado.text.Segment;
import java.nio.charset.StandardCharsets;
import java.time.Clock;
import java.time.Instant;
import java.time.ZoneOffset;
import java.util.List;
import java.util.Map;
import java.util.stream.Collectors;
import java.util.stream.Stream;
import org.junit.jupiter.params.provider.MethodSource;

/**
 * Any bytes as a template: they render within the budgets, or end in a {@link TemplateException}.
 */
class ChatTemplateFuzzTest {
    private static final TemplateOptions OPTIONS =
            TemplateOptions.CHAT.clock(
                    Clock.fixed(Instant.parse("2025-07-10T12:00:00Z"), ZoneOffset.UTC));
    private static final Map<String, Object> VARIABLES =
            Map.of(
                    "messages",
                    List.of(
                            Map.of("role", "user", "content", "Hi {{ 1 }} {% if %} <|im_end|>"),
                            Map.of("role", "assistant", "content", "")),
                    "tools",
                    List.of(Map.of("type", "function", "n", 1, "x", 1.5, "b", true)),
                    "bos_token",
                    "<s>",
                    "add_generation_prompt",
                    true);

    static Stream<byte[]> seeds() {
        return Stream.of(
                        "",
                        "{{ bos_token }}{% for m in messages %}{{ m.role ~ ': ' + m['content']|trim }}{% endfor %}",
                        "{%- set ns = namespace(n=0) -%}{% for m in messages if m.role != 'user' %}{% set ns.n = ns.n + 1 %}{% else %}x{% endfor %}{{ ns.n }}",
                        "{% macro a(b, c='d') %}{{ b }}{{ c }}{{ caller() }}{{ varargs }}{{ kwargs }}{% endmacro %}{% call a(1, e=2) %}x{% endcall %}",
                        "{{ tools|tojson(indent=2) }}{{ messages|map(attribute='role')|join(', ') }}{{ messages[::-1]|selectattr('role', 'equalto', 'user')|list }}",
                        "{% if not (1 < 2 <= 3) and 'a' in 'abc' or x is defined %}{{ 'a' * 3 }}{% elif 2 ** 8 // 3 %}{{ '%05.1f' % 2.5 }}{% else %}{{ raise_exception('no') }}{% endif %}",
                        "{% filter upper %}{% set x %}y{% endset %}{{ x }}{% endfilter %}{% raw %}{{ }}{% endraw %}{# c #}{% generation %}{% endgeneration %}",
                        "{% for a, b in {'k': [1, 2]}.items() recursive %}{{ loop.index }}{{ loop.cycle(1, 2) }}{% break %}{% endfor %}{% with q = 1 %}{{ q }}{% endwith %}",
                        "{{ '{} {x:>5}'.format(1, x='y') }}{{ 'a b'.split()|last|title }}{{ strftime_now('%d %b %Y') }}{{ '\\u00e9'|urlencode }}{{ 5|round(1) }}",
                        "{{ messages[0].content.replace('Hi', 'Ho')[1:-1:2].strip() if tools else 1e99999999999 }}{{ range(3)|batch(2)|list }}{{ [3, 1]|sort|first }}")
                .map(text -> text.getBytes(StandardCharsets.UTF_8));
    }

    @MethodSource("seeds")
    @FuzzTest
    void rendersOrRefuses(byte[] data) {
        String source = new String(data, StandardCharsets.UTF_8);
        try {
            Rendered rendered = ChatTemplate.compile(source, OPTIONS).render(VARIABLES);
            assertEquals(
                    rendered.text(),
                    rendered.segments().stream().map(Segment::text).collect(Collectors.joining()));
        } catch (TemplateException refused) {
            // What a template may end in; every other exception fails the test.
        }
    }
}
