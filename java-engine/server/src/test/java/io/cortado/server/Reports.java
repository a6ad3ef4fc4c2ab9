package io.cortado.server;

import io.cortado.api.RequestReport;
import io.cortado.api.Timings;

/** Reports for tests, every field another number. */
public final class Reports {
    private Reports() {}

    public static RequestReport report(
            String id, String tenant, long number, int prompt, int tokens) {
        return new RequestReport(
                id,
                number,
                1_700_000_000_000L + number,
                tenant,
                "stop",
                prompt,
                1,
                new Timings(200_000_000, 500_000_000, 900_000_000, tokens),
                new RequestReport.Queue(
                        12, 4, 9, 41, 150_000_000, 20_000_000, 10_000_000, 18432, 160),
                new RequestReport.Prefill(32, 16, 8, 2016, 4032, 3, 290_000_000),
                new RequestReport.Decode(
                        63,
                        390_000_000,
                        13,
                        190_000_000,
                        new RequestReport.SlowestStep(31_000_000, 5, 512, 508)),
                new RequestReport.Drafts(21, 84, 60),
                new RequestReport.Preemption(1, 110_000_000, 1024),
                new RequestReport.Cost(240_000_000, 12_500_000));
    }
}
