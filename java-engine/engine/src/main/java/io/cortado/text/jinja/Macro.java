package io.cortado.text.jinja;

import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/** A macro with the scope it was defined in. */
final class Macro implements Callable {
    private final Stmt.MacroCode code;
    private final Scope scope;
    private final Interpreter interpreter;

    Macro(Stmt.MacroCode code, Scope scope, Interpreter interpreter) {
        this.code = code;
        this.scope = scope;
        this.interpreter = interpreter;
    }

    @Nullable Object attribute(String name) {
        return switch (name) {
            case "name" -> Str.literal(code.name());
            case "arguments" ->
                    new Tuple(
                            code.parameters().stream().map(p -> (Object) Str.literal(p)).toList());
            case "caller" -> code.takesCaller();
            case "catch_kwargs" -> code.takesKwargs();
            case "catch_varargs" -> code.takesVarargs();
            default -> null;
        };
    }

    @Override
    public Object call(Arguments arguments) {
        Scope inner = scope.inner();
        List<String> parameters = code.parameters();
        int given = Math.min(parameters.size(), arguments.positional().size());
        for (int i = 0; i < given; i++) {
            inner.set(parameters.get(i), arguments.positional().get(i));
        }
        var extra = new LinkedHashMap<>(arguments.named());
        for (String parameter : parameters.subList(given, parameters.size())) {
            bind(parameter, extra.remove(parameter), inner);
        }
        extras(arguments, given, extra, inner);
        return interpreter.capture(code.body(), inner);
    }

    private void bind(String parameter, @Nullable Object value, Scope inner) {
        Expr fallback = code.defaults().get(parameter);
        if (value != null) {
            inner.set(parameter, value);
        } else if (fallback != null) {
            inner.set(parameter, interpreter.evaluate(fallback, inner));
        } else {
            inner.set(parameter, new Undefined("parameter '" + parameter + "' was not provided"));
        }
    }

    private void extras(Arguments arguments, int given, Map<String, Object> extra, Scope inner) {
        Object caller = extra.remove("caller");
        if (caller != null && !code.takesCaller()) {
            throw new TemplateException(
                    "macro '" + code.name() + "' was invoked with caller, which it does not use");
        }
        if (code.takesCaller() && !code.parameters().contains("caller")) {
            inner.set("caller", caller == null ? new Undefined("No caller defined") : caller);
        }
        var rest =
                new ArrayList<>(
                        arguments.positional().subList(given, arguments.positional().size()));
        if (code.takesVarargs()) {
            inner.set("varargs", new Tuple(rest));
        } else if (!rest.isEmpty()) {
            throw new TemplateException(
                    "macro '"
                            + code.name()
                            + "' takes not more than "
                            + given
                            + " argument(s): got="
                            + arguments.positional().size());
        }
        if (code.takesKwargs()) {
            var kwargs = new LinkedHashMap<Object, Object>();
            extra.forEach((name, value) -> kwargs.put(Str.name(name), value));
            inner.set("kwargs", kwargs);
        } else if (!extra.isEmpty()) {
            throw new TemplateException(
                    "macro '" + code.name() + "' takes no keyword argument " + extra.keySet());
        }
    }
}
