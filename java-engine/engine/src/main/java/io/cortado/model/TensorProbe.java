package io.cortado.model;

import io.cortado.device.Buffer;
import io.cortado.device.DType;
import io.cortado.device.Device;
import io.cortado.device.Kernels;
import io.cortado.device.Staging;
import io.cortado.device.Stream;
import io.cortado.device.Weights;
import java.lang.foreign.ValueLayout;
import java.nio.file.Path;
import java.util.List;

/**
 * The numbers of a model's matrices as the device's kernels see them: for checks, not for speed.
 */
public final class TensorProbe implements AutoCloseable {
    private final Device device;
    private final TensorSource source;

    TensorProbe(Device device, TensorSource source) {
        this.device = device;
        this.source = source;
    }

    public static TensorProbe open(Device device, Path model, ModelConfig config) {
        return new TensorProbe(device, TensorSource.open(device, model, config, DType.F32, false));
    }

    /**
     * All numbers of a matrix, row by row.
     *
     * @param name as Hugging Face calls it, or as a GGUF file does
     */
    public float[] matrix(String name, int rows, int cols) {
        Weights.Part part = source.matrix(published(name), rows, cols);
        try (Staging staging = new Staging(device);
                Weights weights =
                        device.createWeights(
                                List.of(part), cols, DType.F32, Weights.Use.EMBEDDING);
                Buffer values = device.createBuffer(4L * rows * cols);
                Buffer ids =
                        staging.create(
                                4L * rows,
                                bytes -> {
                                    for (int i = 0; i < rows; i++) {
                                        bytes.setAtIndex(ValueLayout.JAVA_INT, i, i);
                                    }
                                });
                Stream stream = device.createStream()) {
            Kernels.embedding(values, weights, ids, rows, cols, DType.F32, 1, stream);
            stream.synchronize();
            return staging.read(values, values.bytes()).toArray(ValueLayout.JAVA_FLOAT);
        } finally {
            source.release();
        }
    }

    private String published(String name) {
        return source instanceof GgufTensors gguf ? gguf.published(name) : name;
    }

    @Override
    public void close() {
        source.close();
    }
}
