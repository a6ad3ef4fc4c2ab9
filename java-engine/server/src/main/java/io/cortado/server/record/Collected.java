package io.cortado.server.record;

import io.cortado.api.GenerationEvent;
import io.cortado.api.GenerationEvent.Completed;
import io.cortado.api.GenerationEvent.Delta;
import io.cortado.api.GenerationEvent.Failed;
import io.cortado.api.GenerationEvent.Finished;
import io.cortado.api.GenerationEvent.PromptScored;
import io.cortado.api.GenerationEvent.Started;
import io.cortado.api.RequestReport;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import org.jspecify.annotations.Nullable;

/** The ids of a request's answers as far as its events have come. Any thread. */
final class Collected {
    private static final int FIRST_IDS = 64;

    private final int[][] ids;
    private final int[] sizes;
    private final String[] finish;
    private @Nullable String error;
    private @Nullable RequestReport report;

    Collected(int n) {
        ids = new int[n][FIRST_IDS];
        sizes = new int[n];
        finish = new String[n];
        Arrays.fill(finish, RecordedRequest.CUT);
    }

    synchronized void take(GenerationEvent event) {
        switch (event) {
            case Delta delta -> append(delta.index(), delta.ids());
            case Finished finished -> finish[finished.index()] = finished.reason().apiName();
            case Completed completed -> report = completed.report();
            case Failed failed -> error = String.valueOf(failed.error().getMessage());
            case Started _, PromptScored _ -> {}
        }
    }

    private void append(int index, int[] more) {
        int size = sizes[index];
        if (size + more.length > ids[index].length) {
            ids[index] = Arrays.copyOf(ids[index], Math.max(2 * size, size + more.length));
        }
        System.arraycopy(more, 0, ids[index], size, more.length);
        sizes[index] = size + more.length;
    }

    synchronized int size(int index) {
        return sizes[index];
    }

    synchronized RecordedRequest.Outcome outcome() {
        List<RecordedRequest.Output> outputs = new ArrayList<>();
        for (int i = 0; i < ids.length; i++) {
            outputs.add(new RecordedRequest.Output(Arrays.copyOf(ids[i], sizes[i]), finish[i]));
        }
        return new RecordedRequest.Outcome(outputs, error, report);
    }
}
