package io.cortado.bench;

import io.cortado.api.EngineOptions;
import io.cortado.api.KvCacheDtype;
import io.cortado.bench.conformance.GoldenSuite;
import io.cortado.bench.conformance.KvDifference;
import io.cortado.bench.conformance.LmDriver;
import io.cortado.model.ModelConfig;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Locale;
import picocli.CommandLine.Command;
import picocli.CommandLine.Option;

/**
 * What a type of the KV cache costs in quality: the logits of texts with it, against those with the
 * activations' own type. The texts are the folder's goldens; without them the model's own greedy
 * continuations of random tokens.
 */
@Command(
        name = "kv-quality",
        description =
                "Difference of logits between --kv-cache-dtype (default: fp8) and the activations'"
                        + " own type.",
        mixinStandardHelpOptions = true)
final class KvQualityBench extends BenchCommand {
    private static final int MAX_TOKENS = 1024;

    @Option(names = "--num-prompts", description = "texts, where the model has no goldens")
    int numPrompts = 8;

    @Option(names = "--prompt-len", description = "random tokens that such a text begins with")
    int promptLen = 8;

    @Option(names = "--output-len", description = "greedy tokens that follow")
    int outputLen = 120;

    @Override
    void run(Results results) throws Exception {
        KvCacheDtype type = KvCacheDtype.parse(engine.kvCacheDtype);
        EngineOptions options =
                engine.options()
                        .kvCacheDtype(type == KvCacheDtype.AUTO ? KvCacheDtype.FP8_E4M3 : type);
        Path folder = engine.modelFolder(model);
        ModelConfig config = ModelConfig.read(folder);
        EngineOptions plainOptions = options.kvCacheDtype(KvCacheDtype.AUTO);
        try (LmDriver plain = LmDriver.open(folder, config, plainOptions);
                LmDriver other = LmDriver.open(folder, config, options)) {
            List<int[]> texts = texts(folder, config, plain);
            KvDifference difference = KvDifference.between(plain, other, texts);
            report(options, plain, other, difference, results);
        }
    }

    private List<int[]> texts(Path folder, ModelConfig config, LmDriver plain) throws Exception {
        List<int[]> goldens = GoldenSuite.texts(folder);
        if (!goldens.isEmpty()) {
            return goldens;
        }
        require(numPrompts >= 1, "num-prompts", "positive", numPrompts);
        require(promptLen >= 1, "prompt-len", "positive", promptLen);
        int most = Math.min(MAX_TOKENS, config.maxPositions()) - promptLen;
        require(
                outputLen >= 0 && outputLen <= most,
                "output-len",
                "in [0, " + most + "]",
                outputLen);
        RandomPrompts prompts = new RandomPrompts(config.vocabSize(), seed);
        List<int[]> texts = new ArrayList<>();
        for (int i = 0; i < numPrompts; i++) {
            int[] prompt = prompts.next(promptLen);
            int[] text = Arrays.copyOf(prompt, promptLen + outputLen);
            int[] greedy = plain.greedy(plain.sequence(0, prompt, i), outputLen);
            System.arraycopy(greedy, 0, text, promptLen, outputLen);
            texts.add(text);
        }
        return texts;
    }

    private void report(
            EngineOptions options,
            LmDriver plain,
            LmDriver other,
            KvDifference difference,
            Results results) {
        Table table =
                new Table("KV cache", "bytes a token", "max |dlogit|", "rms", "same first id");
        String own = options.activations().name().toLowerCase(Locale.ROOT);
        table.row(own, "" + plain.kvBytesPerToken(), "-", "-", "-");
        table.row(
                options.kvCacheDtype().toString(),
                "" + other.kvBytesPerToken(),
                number(difference.largest()),
                number(difference.rms()),
                String.format(Locale.ROOT, "%.2f%%", 100 * difference.agreement()));
        table.print(out);
        String metric = "kv_" + options.kvCacheDtype() + "_";
        results.put(metric + "max_dlogit", difference.largest(), "logit");
        results.put(metric + "rms_dlogit", difference.rms(), "logit");
        results.put(metric + "rms_of_logits", difference.rms() / difference.logitRms(), "ratio");
        results.put(metric + "top1_agreement", difference.agreement(), "ratio");
        results.put(metric + "positions", difference.positions(), "tokens");
        double bytes = (double) other.kvBytesPerToken() / plain.kvBytesPerToken();
        results.put(metric + "bytes_of_" + own, bytes, "ratio");
        if (Double.isNaN(difference.largest())) {
            results.fail("some logits are not numbers");
        }
    }

    private static String number(double value) {
        return String.format(Locale.ROOT, "%.4f", value);
    }
}
