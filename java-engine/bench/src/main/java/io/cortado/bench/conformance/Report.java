package io.cortado.bench.conformance;

import java.io.PrintStream;
import java.util.List;

/**
 * What came of a suite or of one of its groups.
 *
 * @param refused cases the engine declined with a clear error
 * @param failures the wrong cases by name, with what was expected
 * @param refusals the reasons of refused cases, each once
 */
public record Report(
        String name,
        int right,
        int wrong,
        int refused,
        List<String> failures,
        List<String> refusals) {
    public Report {
        failures = List.copyOf(failures);
        refusals = List.copyOf(refusals);
    }

    public boolean holds(boolean strict) {
        return wrong == 0 && !(strict && refused > 0);
    }

    /** One line for the group; failures and reasons below it. */
    public void printGroup(PrintStream out, int maxFailures) {
        out.printf("%-28s right %6d  wrong %4d  refused %4d%n", name, right, wrong, refused);
        failures.stream()
                .limit(maxFailures)
                .forEach(failure -> out.println("    wrong: " + failure));
        refusals.forEach(reason -> out.println("    refused: " + reason));
    }

    /** The machine-readable lines at the end of a run. */
    public void printResult(PrintStream out) {
        String metric = name.replace('-', '_');
        out.printf("RESULT %s_right %d cases%n", metric, right);
        out.printf("RESULT %s_wrong %d cases%n", metric, wrong);
        out.printf("RESULT %s_refused %d cases%n", metric, refused);
    }
}
