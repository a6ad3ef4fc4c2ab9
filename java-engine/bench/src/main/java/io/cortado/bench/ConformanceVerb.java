package io.cortado.bench;

import io.cortado.api.EngineException;
import io.cortado.bench.conformance.ChatTemplateSuite;
import io.cortado.bench.conformance.GgufSuite;
import io.cortado.bench.conformance.GoldenSuite;
import io.cortado.bench.conformance.GrammarSuite;
import io.cortado.bench.conformance.JsonSchemaSuite;
import io.cortado.bench.conformance.MaskBenchSuite;
import io.cortado.bench.conformance.QuantSuite;
import io.cortado.bench.conformance.Report;
import io.cortado.bench.conformance.SamplingSuite;
import io.cortado.bench.conformance.Suite;
import io.cortado.bench.conformance.SuiteOptions;
import io.cortado.bench.conformance.TokenizerSuite;
import io.cortado.bench.conformance.TracesSuite;
import io.cortado.bench.conformance.VocabSuite;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.concurrent.Callable;
import java.util.stream.Collectors;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Option;
import picocli.CommandLine.Parameters;

/** {@code conformance SUITE PATH}: the engine against facts made by others. */
@Command(
        name = "conformance",
        description = "Runs the engine against a folder or file of cases.",
        mixinStandardHelpOptions = true)
final class ConformanceVerb implements Callable<Integer> {
    private static final List<Suite> SUITES =
            List.of(
                    new GoldenSuite(),
                    new TokenizerSuite(),
                    new VocabSuite(),
                    new TracesSuite(),
                    ChatTemplateSuite.jinja(),
                    ChatTemplateSuite.chatTemplates(),
                    new GgufSuite(),
                    new QuantSuite(),
                    new GrammarSuite(),
                    new SamplingSuite(),
                    new JsonSchemaSuite(),
                    new MaskBenchSuite());

    @Parameters(index = "0", paramLabel = "SUITE", description = "goldens, tokenizers, ...")
    String name = "";

    @Parameters(
            index = "1",
            paramLabel = "PATH",
            description = "a file, a case or a folder of them")
    Path path = Path.of("");

    @Mixin EngineFlags engine = new EngineFlags();

    @Option(names = "--limit", description = "the most cases of each file")
    int limit = Integer.MAX_VALUE;

    @Option(names = "--strict", description = "a refused case fails")
    boolean strict;

    @Option(names = "--json", paramLabel = "FILE", description = "the results as JSON as well")
    @Nullable Path json;

    @Override
    public Integer call() throws Exception {
        try {
            BenchCommand.require(limit >= 1, "limit", "positive", limit);
            Suite suite = suite(name);
            if (!Files.exists(path)) {
                throw new BenchException("PATH does not exist: path=" + path);
            }
            Report report =
                    suite.run(path, new SuiteOptions(limit, strict, engine.options()), System.out);
            return finish(report);
        } catch (BenchException | EngineException e) {
            System.err.println("error: " + e.getMessage());
            return 2;
        }
    }

    private Integer finish(Report report) throws Exception {
        if (report.right() + report.wrong() + report.refused() == 0) {
            throw new BenchException("PATH holds no case of this suite: path=" + path);
        }
        if (json != null) {
            String metric = report.name().replace('-', '_');
            Results results = new Results();
            results.put(metric + "_right", report.right(), "cases");
            results.put(metric + "_wrong", report.wrong(), "cases");
            results.put(metric + "_refused", report.refused(), "cases");
            report.failures().forEach(results::fail);
            results.writeJson(json);
        }
        return report.holds(strict) ? 0 : 1;
    }

    static Suite suite(String name) {
        for (Suite suite : SUITES) {
            if (suite.name().equals(name)) {
                return suite;
            }
        }
        String known = SUITES.stream().map(Suite::name).collect(Collectors.joining(", "));
        throw new BenchException("SUITE must be one of " + known + ": suite=" + name);
    }
}
