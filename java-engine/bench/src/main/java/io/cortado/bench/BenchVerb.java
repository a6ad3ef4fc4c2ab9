package io.cortado.bench;

import picocli.CommandLine.Command;

/** {@code bench WHAT}: measures and prints. */
@Command(
        name = "bench",
        description = "Measures: a table, then lines RESULT <metric> <value> <unit>.",
        mixinStandardHelpOptions = true,
        subcommands = {
            KernelsBench.class,
            SamplingBench.class,
            MoeBench.class,
            LatencyBench.class,
            ThroughputBench.class,
            ServeBench.class,
            ChaosBench.class,
            SchedulerBench.class,
            SimBench.class,
            ScaleBench.class,
            FitBench.class,
            PrefixBench.class,
            PlanBench.class,
            EplbBench.class,
            RanksBench.class,
            ExchangeBench.class,
            PingPongBench.class,
            KvQualityBench.class,
            TokenizerBench.class,
            MaskBench.class,
            SpeculateBench.class,
            JmhBench.class
        })
final class BenchVerb {}
