package io.cortado.bench.conformance;

import java.util.ArrayList;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Objects;
import java.util.Set;

/** Counts the cases of a group while they run. */
public final class Tally {
    private static final int MAX_CHARS = 300;

    private final List<String> failures = new ArrayList<>();
    private final Set<String> refusals = new LinkedHashSet<>();
    private int right;
    private int refused;

    public void right() {
        right++;
    }

    public void wrong(String failure) {
        failures.add(failure);
    }

    int wrongs() {
        return failures.size();
    }

    public void refused(String reason) {
        refused(reason, 1);
    }

    public void refused(String reason, int cases) {
        refused += cases;
        refusals.add(reason);
    }

    /** Right if both are equal, else wrong under the case's name. */
    public void compare(String name, Object expected, Object actual) {
        if (Objects.equals(expected, actual)) {
            right();
        } else {
            wrong(name + ": expected " + clip(expected) + " but was " + clip(actual));
        }
    }

    public void add(Report report) {
        right += report.right();
        refused += report.refused();
        failures.addAll(report.failures());
        refusals.addAll(report.refusals());
    }

    public Report report(String name) {
        return new Report(name, right, failures.size(), refused, failures, List.copyOf(refusals));
    }

    private static String clip(Object value) {
        String text = String.valueOf(value).replace("\n", "\\n").replace("\r", "\\r");
        return text.length() <= MAX_CHARS ? text : text.substring(0, MAX_CHARS) + "…";
    }
}
