package io.cortado.model;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNotSame;
import static org.junit.jupiter.api.Assertions.assertSame;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import io.cortado.device.DType;
import io.cortado.device.Device;
import io.cortado.device.Placement;
import io.cortado.device.ResourceStack;
import io.cortado.device.Staging;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** What a model's own draft layer has twice lies on the device once. */
class MtpLoaderTest {
    private static final Path GOLDEN =
            Path.of(System.getProperty("cortado.root", "."), "../shared/suites/goldens/mtp-tiny");

    @TempDir Path folder;

    private record Loaded(DecoderWeights target, MtpWeights weights, long planned) {}

    private static Loaded load(
            Path model, boolean dummyWeights, Device device, ResourceStack owned) {
        ModelConfig config = ModelConfig.read(model);
        DType dtype = DType.BF16;
        try (Staging staging = new Staging(device);
                TensorSource source =
                        TensorSource.open(device, model, config, dtype, dummyWeights)) {
            Placement placement = Placement.on(device);
            DecoderWeights target =
                    new WeightLoader(placement, staging, source, config.shape(), dtype, owned)
                            .load();
            MtpLoader loader = new MtpLoader(source, config);
            long planned = loader.plan(device, dtype).bytes();
            MtpWeights weights = loader.load(device, staging, dtype, target, owned);
            return new Loaded(target, weights, planned);
        }
    }

    @Test
    void embeddingAndHeadAreTheTargetsWhereTheyAreTheSame() {
        assumeTrue(Files.isDirectory(GOLDEN));
        for (boolean dummyWeights : new boolean[] {false, true}) {
            try (Device device = Device.open("cpu", 1, "auto");
                    ResourceStack owned = new ResourceStack()) {
                Loaded loaded = load(GOLDEN, dummyWeights, device, owned);
                DecoderWeights own = loaded.weights.decoder();
                assertSame(loaded.target.embedding(), own.embedding());
                assertSame(loaded.target.head(), own.head());
                assertEquals(loaded.planned, loaded.weights.bytes());
            }
        }
    }

    @Test
    void anEmbeddingThatDiffersIsItsOwn() throws IOException {
        assumeTrue(Files.isDirectory(GOLDEN));
        Files.copy(GOLDEN.resolve("config.json"), folder.resolve("config.json"));
        byte[] file = Files.readAllBytes(GOLDEN.resolve("model.safetensors"));
        long shared;
        try (Device device = Device.open("cpu", 1, "auto");
                ResourceStack owned = new ResourceStack()) {
            shared = load(GOLDEN, false, device, owned).weights.bytes();
        }
        flipLastByte(file, "model.embed_tokens.weight");
        Files.write(folder.resolve("model.safetensors"), file);
        try (Device device = Device.open("cpu", 1, "auto");
                ResourceStack owned = new ResourceStack()) {
            Loaded loaded = load(folder, false, device, owned);
            DecoderWeights own = loaded.weights.decoder();
            assertNotSame(loaded.target.embedding(), own.embedding());
            assertSame(loaded.target.head(), own.head());
            assertEquals(loaded.planned, loaded.weights.bytes());
            assertEquals(shared + own.embedding().bytes(), loaded.weights.bytes());
        }
    }

    private static void flipLastByte(byte[] file, String tensor) {
        long header = 0;
        for (int i = 7; i >= 0; i--) {
            header = header << 8 | file[i] & 0xff;
        }
        String json = new String(file, 8, (int) header, StandardCharsets.UTF_8);
        String entry = json.substring(json.indexOf('"' + tensor + '"'));
        String offsets = entry.substring(entry.indexOf("data_offsets"));
        String end = offsets.substring(offsets.indexOf(',') + 1, offsets.indexOf(']')).strip();
        file[(int) (8 + header) + Integer.parseInt(end) - 1] ^= 1;
    }
}
