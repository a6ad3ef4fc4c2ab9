package io.cortado.text.jinja;

import org.jspecify.annotations.Nullable;

/** The methods of Python's str: {@link StrSplit}, {@link StrChange} and {@link StrQuestions}. */
final class StrMethods {
    private StrMethods() {}

    /** A method whose every call pays for reading the text once. */
    static @Nullable Callable find(Str s, String name, Budget budget) {
        Callable method = StrSplit.find(s, name, budget);
        if (method == null) {
            method = StrChange.find(s, name, budget);
        }
        if (method == null) {
            method = StrQuestions.find(s, name);
        }
        if (method == null) {
            return null;
        }
        Callable found = method;
        return args -> {
            budget.scan(s.text().length());
            return found.call(args);
        };
    }
}
