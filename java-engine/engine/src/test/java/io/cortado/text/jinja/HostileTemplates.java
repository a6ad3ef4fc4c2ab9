package io.cortado.text.jinja;

import java.util.ArrayList;
import java.util.List;

/** Templates that try to get out of the sandbox, or to use up time, memory or the stack. */
final class HostileTemplates {
    private HostileTemplates() {}

    /** Reads of what a template must not reach: each ends in an error. */
    static final List<String> ESCAPES =
            List.of(
                    "{{ ''.__class__.__mro__ }}",
                    "{{ ''['__class__']['__mro__'] }}",
                    "{{ (''|attr('__class__')).x }}",
                    "{{ ''.__class__.__base__.__subclasses__() }}",
                    "{{ [].__class__() }}",
                    "{{ {}.__init__.__globals__ }}",
                    "{{ range.__globals__['x'] }}",
                    "{{ namespace.__init__.__globals__.os }}",
                    "{{ self.__init__.__globals__ }}",
                    "{{ cycler('a').__init__.__globals__ }}",
                    "{{ joiner().__call__.__globals__ }}",
                    "{{ lipsum.__globals__['os'].popen('id') }}",
                    "{{ ''.getClass().forName('java.lang.Runtime') }}",
                    "{{ ''.class.name.x }}",
                    "{{ [].getClass() }}",
                    "{{ {}['class']['x'] }}",
                    "{{ ''.hashCode() }}",
                    "{{ messages.getClass() }}",
                    "{{ messages.stream() }}",
                    "{{ messages[0].entrySet() }}",
                    "{{ loop.__init__.__globals__ }}",
                    "{% macro m() %}{% endmacro %}{{ m.__code__.co_code }}",
                    "{% macro m() %}{% endmacro %}{{ m._func.__globals__ }}",
                    "{{ '{0.__class__.__mro__}'.format('') }}",
                    "{{ '{a[__class__].x}'.format(a={}) }}",
                    "{{ '{x.__class__.y}'.format_map({'x': ''}) }}",
                    "{{ ('%s'|attr('__mod__'))('x') }}",
                    "{{ messages|map(attribute='__class__.__mro__')|list }}",
                    "{{ messages|sort(attribute='__class__.__name__')|list }}",
                    "{{ messages|groupby('__class__.x')|list }}",
                    "{{ messages.append({}) }}",
                    "{{ messages[0].update({'role': 'system'}) }}",
                    "{{ messages[0].pop('role') }}",
                    "{{ messages.clear() }}",
                    "{{ messages[0].setdefault('a', 1) }}",
                    "{% set messages.x = 1 %}",
                    "{% set messages[0].role = 'system' %}",
                    "{% include '/etc/passwd' %}",
                    "{% import 'os' as os %}{{ os.system('id') }}",
                    "{% extends 'base' %}",
                    "{{ config.items() }}",
                    "{{ request.application }}",
                    "{{ import('os') }}",
                    "{{ eval('1') }}",
                    "{% do messages.append(1) %}");

    /** Templates that would cost too much: each runs out of a budget. */
    static List<String> bombs() {
        var bombs = new ArrayList<String>(GROWING);
        bombs.add(nested("{% for a in range(99999) %}", "x", "{% endfor %}", 3));
        bombs.add(nested("{% for a in range(99999) %}", "", "{% endfor %}", 9));
        bombs.add(
                nested(
                        "{% for c in 'aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa' %}",
                        "", "{% endfor %}", 9));
        bombs.add(nested("{% if 1 %}", "x", "{% endif %}", 5000));
        bombs.add(nested("{% for a in [1] %}", "x", "{% endfor %}", 5000));
        bombs.add(nested("{% filter upper %}", "x", "{% endfilter %}", 5000));
        bombs.add(nested("{% set a %}", "x", "{% endset %}", 5000));
        bombs.add("{{ " + nested("(", "1", ")", 5000) + " }}");
        bombs.add("{{ " + nested("[", "1", "]", 5000) + " }}");
        bombs.add("{{ " + nested("{1:", "1", "}", 5000) + " }}");
        bombs.add("{{ " + nested("range(", "1", ")", 5000) + " }}");
        bombs.add("{{ " + nested("x[", "1", "]", 5000) + " }}");
        bombs.add("{{ " + "not ".repeat(5000) + "1 }}");
        bombs.add("{{ " + "-".repeat(5000) + "1 }}");
        bombs.add("{{ 1" + "+1".repeat(5000) + " }}");
        bombs.add("{{ 1" + "**1".repeat(5000) + " }}");
        bombs.add("{{ 1" + " if 1 else 1".repeat(5000) + " }}");
        bombs.add("{{ x" + ".a".repeat(5000) + " }}");
        bombs.add("{{ 'x'" + "|upper".repeat(5000) + " }}");
        bombs.add(
                nested(nested("{% if ", "1", " %}", 1), "x", "{% endif %}", 119)
                        .replace("1", nested("(", "1" + "+1".repeat(490), ")", 3)));
        bombs.add("x".repeat((1 << 20) + 1));
        return bombs;
    }

    private static final List<String> GROWING =
            List.of(
                    "{{ range(1000000000) }}",
                    "{{ range(-1000000000, 1000000000)|list }}",
                    "{{ range(0, 9223372036854775807, 1)|length }}",
                    "{{ 'x' * 1000000000 }}",
                    "{{ 1000000000 * 'x' }}",
                    "{{ [0] * 1000000000 }}",
                    "{{ (0,) * 1000000000 }}",
                    "{{ 'x'.center(1000000000) }}",
                    "{{ 'x'|center(1000000000) }}",
                    "{{ 'x'.ljust(1000000000) }}",
                    "{{ 'x'.rjust(1000000000, 'y') }}",
                    "{{ '1'.zfill(1000000000) }}",
                    "{{ '\\t'.expandtabs(1000000000) }}",
                    "{{ 'x'|indent(1000000000, true) }}",
                    "{{ [1]|tojson(indent=1000000000) }}",
                    "{{ '%1000000d' % 1 }}{{ '%9999999d' % 1 }}",
                    "{{ '%*d' % (1000000000, 1) }}",
                    "{{ '%.*f' % (1000000000, 1.5) }}",
                    "{{ '{:9999999}'.format(1)|length }}",
                    "{{ '{:{w}}'.format(1, w=9999999) }}",
                    "{{ [1]|batch(1000000000, 0)|list }}",
                    "{{ [1]|slice(1000000000)|list }}",
                    "{{ ('x' * 100000).replace('x', 'y' * 100000) }}",
                    "{{ ('x' * 100000).replace('', 'y' * 1000) }}",
                    "{{ ('x' * 1000)|join('y' * 100000) }}",
                    "{{ ('y' * 100000).join('x' * 1000) }}",
                    "{{ ('y' * 100000)|map('string')|join('y' * 100000) }}",
                    "{% set n = namespace(s='x') %}{% for i in range(60) %}{% set n.s = n.s + n.s %}{% endfor %}",
                    "{% set n = namespace(s='x') %}{% for i in range(60) %}{% set n.s = n.s ~ n.s %}{% endfor %}",
                    "{% set n = namespace(s='x') %}{% for i in range(60) %}{% set n.s = '%s%s' % (n.s, n.s) %}{% endfor %}",
                    "{% set n = namespace(s='x') %}{% for i in range(60) %}{% set n.s = '{0}{0}'.format(n.s) %}{% endfor %}",
                    "{% set n = namespace(s='x') %}{% for i in range(60) %}{% set n.s = [n.s, n.s]|join %}{% endfor %}",
                    "{% set n = namespace(s=['x']) %}{% for i in range(60) %}{% set n.s = n.s + n.s %}{% endfor %}",
                    "{% set n = namespace(s=['x']) %}{% for i in range(60) %}{% set n.s = [n.s, n.s] %}{% endfor %}{{ n.s }}",
                    "{% set n = namespace(s=['x']) %}{% for i in range(60) %}{% set n.s = [n.s, n.s] %}{% endfor %}{{ n.s|tojson }}",
                    "{% set n = namespace(s=['x']) %}{% for i in range(60) %}{% set n.s = [n.s, n.s] %}{% endfor %}{{ n.s|string|length }}",
                    "{% set n = namespace(s={'a': 1}) %}{% for i in range(60) %}{% set n.s = {'a': n.s, 'b': n.s} %}{% endfor %}{{ n.s }}",
                    "{% set n = namespace(s=[1], t=[1]) %}{% for i in range(60) %}{% set n.s = [n.s, n.s] %}{% set n.t = [n.t, n.t] %}{% endfor %}{{ n.s == n.t }}",
                    "{% set n = namespace(s=[1], t=[1]) %}{% for i in range(60) %}{% set n.s = [n.s, n.s] %}{% set n.t = [n.t, n.t] %}{% endfor %}{{ n.s < n.t }}",
                    "{% set n = namespace(s=(1,)) %}{% for i in range(60) %}{% set n.s = (n.s, n.s) %}{% endfor %}{{ {n.s: 1}|length }}",
                    "{% set n = namespace(s=(1,)) %}{% for i in range(60) %}{% set n.s = (n.s, n.s) %}{% endfor %}{{ [n.s, n.s]|unique|list|length }}",
                    "{% set n = namespace(l=[]) %}{% for i in range(99999) %}{% set n.l = n.l + ['x' * 1000000] %}{% endfor %}",
                    "{% set n = namespace(l=[]) %}{% for i in range(99999) %}{% set n.l = n.l + [i] %}{% endfor %}",
                    "{% set n = namespace(l=[]) %}{% for i in range(99999) %}{% set n.l = [n.l] %}{% endfor %}{{ n.l }}",
                    "{% set n = namespace(l=[]) %}{% for i in range(99999) %}{% set n.l = [n.l] %}{% endfor %}{{ n.l == [n.l] }}{{ n.l|tojson }}",
                    "{% set n = namespace() %}{% set n.self = n %}{{ n }}",
                    "{% set n = namespace() %}{% set n.self = [n, n] %}{{ n.self }}",
                    "{% set n = namespace() %}{% set n.self = {'n': n} %}{{ n.self|string }}",
                    "{% macro m() %}{{ m() }}{% endmacro %}{{ m() }}",
                    "{% macro m(x) %}{{ m(x ~ x) }}{{ m(x ~ x) }}{% endmacro %}{{ m('x') }}",
                    "{% macro a() %}{{ b() }}{% endmacro %}{% macro b() %}{{ a() }}{% endmacro %}{{ a() }}",
                    "{% macro m(n) %}{% if n %}{{ m(n - 1) }}{{ m(n - 1) }}{% endif %}{% endmacro %}{{ m(50) }}",
                    "{% macro m() %}{{ caller() }}{% endmacro %}{% macro r() %}{% call m() %}{{ r() }}{% endcall %}{% endmacro %}{{ r() }}",
                    "{% for i in [1] recursive %}{{ loop([1]) }}{% endfor %}",
                    "{% for i in [1, 1] recursive %}{{ loop([1, 1]) }}{% endfor %}",
                    "{% block a %}{{ self.a() }}{% endblock %}",
                    "{% for i in range(99999) %}{{ range(99999)|list|length }}{% endfor %}",
                    "{% for i in range(99999) %}{% set x = range(99999)|sort %}{% endfor %}",
                    "{% for i in range(99999) %}{% set x = ('x' * 1000000)|upper %}{% endfor %}",
                    "{% set s = 'a' * 1000000 %}{% for i in range(99999) %}{% set x = s[i] %}{% endfor %}{% for i in range(99999) %}{% for j in range(9999) %}{% set x = s[-1] %}{% endfor %}{% endfor %}",
                    "{% set s = 'a' * 1000000 %}{% for i in range(99999) %}{% set x = s|length %}{% set x = s.count('b') %}{% set x = s in s %}{% endfor %}",
                    "{% set s = 'a' * 500000 %}{% for i in range(9999) %}{% set x = (s ~ 'b') in (s ~ s) %}{% endfor %}",
                    "{% set s = 'a' * 500000 %}{% for i in range(9999) %}{% set x = (s ~ s).replace(s ~ 'b', '') %}{% endfor %}",
                    "{% set s = 'a b ' * 100000 %}{% for i in range(9999) %}{% set x = s.split() %}{% endfor %}",
                    "{% set s = '<' * 500000 %}{% for i in range(9999) %}{% set x = s|striptags %}{% endfor %}",
                    "{% set s = 'a-' * 100000 %}{% for i in range(9999) %}{% set x = s|wordwrap(3) %}{% endfor %}",
                    "{% set s = '1_' * 2000 %}{% for i in range(99999) %}{% for j in range(9999) %}{% set x = s|int %}{% endfor %}{% endfor %}",
                    "{% for i in range(99999) %}{% for j in range(99999) %}{% set x = '%.9999f' % 1e-300 %}{% endfor %}{% endfor %}",
                    "{% for i in range(99999) %}{% set x = messages|map(attribute='content')|map('upper')|list %}{% for j in range(999) %}{% endfor %}{% endfor %}",
                    "{% set d = dict(range(9)|map('string')|map('center', 2)|map('list')) %}{% for i in range(99999) %}{% for k in range(999) %}{% set x = {i: k, k: i, 1.5: i} %}{% endfor %}{% endfor %}");

    private static String nested(String open, String inner, String close, int times) {
        return open.repeat(times) + inner + close.repeat(times);
    }
}
