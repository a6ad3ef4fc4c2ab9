package io.cortado.engine;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.cortado.api.EngineOptions;
import io.cortado.api.Speculation;
import io.cortado.device.Device;
import io.cortado.model.ModelConfig;
import io.cortado.model.WorkspaceBytes;
import java.io.IOException;
import java.util.Objects;
import org.junit.jupiter.api.Test;

/** What drafting needs is part of the memory plan: inputs of each pass as well. */
class DraftersPlanTest {
    private static final int MODEL_LEN = 512;

    private static final int BLOCKS = MODEL_LEN / 16;

    private static long workspace(Speculation how) throws IOException {
        EngineOptions options =
                EngineOptions.defaults().maxModelLen(MODEL_LEN).maxNumSeqs(8).speculation(how);
        MemoryPlan target = new MemoryPlan(options, true, 0, 0, 0, 1, BLOCKS, true, null);
        ModelConfig config = ModelConfig.read(DemoEngine.folder());
        Drafters drafters =
                Objects.requireNonNull(Drafters.of(options, DemoEngine.folder(), config));
        try (Device device = Device.open("cpu", 1, "auto")) {
            return drafters.plan(device, options, MODEL_LEN, target).workspaceBytes();
        }
    }

    private static long inputs(Speculation how, int passes) {
        EngineOptions options = EngineOptions.defaults().maxNumSeqs(8).speculation(how);
        return WorkspaceBytes.ofDraftInputs(
                Limits.tables(options),
                options.maxNumBatchedTokens(),
                BLOCKS,
                passes,
                how.method() == Speculation.Method.EAGLE3);
    }

    @Test
    void eachPassOfADraftModelHasInputs() throws IOException {
        String folder = DemoEngine.draftFolder().toString();
        Speculation two = Speculation.draftModel(folder, 2);
        long ofTwo = workspace(two);
        assertEquals(ofTwo, workspace(Speculation.draftModel(folder, 1)));
        assertEquals(ofTwo + inputs(two, 5), workspace(Speculation.draftModel(folder, 7)));
        assertTrue(inputs(two, 1) > 8L * BLOCKS * Integer.BYTES, "block tables are part of it");
    }

    @Test
    void eachPassOfAHeadHasInputs() throws IOException {
        String folder = DemoEngine.headFolder().toString();
        Speculation one = Speculation.eagle3(folder, 1);
        assertEquals(workspace(one) + inputs(one, 4), workspace(Speculation.eagle3(folder, 5)));
        assertTrue(inputs(one, 1) > inputs(Speculation.draftModel("none", 1), 1));
    }
}
