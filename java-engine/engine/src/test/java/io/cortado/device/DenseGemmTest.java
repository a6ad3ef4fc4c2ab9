package io.cortado.device;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertInstanceOf;
import static org.junit.jupiter.api.Assertions.assertNull;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.cortado.bindings.NativeLibrary;
import java.io.IOException;
import java.io.InputStream;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.lang.reflect.Constructor;
import java.lang.reflect.Method;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

class DenseGemmTest {
    private static final int ROWS = 65;
    private static final int SIZE = 16;

    @TempDir Path root;

    /** Notes what it is asked for, and does nothing. */
    private static final class Fake implements VendorGemm {
        final List<Long> rows = new ArrayList<>();
        boolean serves = true;
        boolean isClosed;

        @Override
        public boolean linear(
                Buffer y,
                Buffer x,
                Weights weights,
                long numRows,
                long yStride,
                long xStride,
                DType yDtype,
                Stream stream) {
            rows.add(numRows);
            return serves;
        }

        @Override
        public void close() {
            isClosed = true;
        }
    }

    /** The first element of y = x W^T + bias with ones in x and W and a bias of 2. */
    private static float linear(Fake vendor, long rows, DType dtype, boolean hasBias) {
        try (Arena arena = Arena.ofConfined();
                Device device = Device.open("cpu", 1, "auto");
                Stream stream = device.createStream();
                DenseGemm gemm = new DenseGemm(vendor);
                Weights weights =
                        device.createWeights(
                                List.of(
                                        new Weights.Part(
                                                ones(arena, dtype, SIZE * SIZE),
                                                SIZE,
                                                WeightFormat.of(dtype))),
                                SIZE,
                                dtype,
                                Weights.Use.LINEAR);
                Buffer x = device.createBuffer(ROWS * SIZE * 4);
                Buffer y = device.createBuffer(ROWS * SIZE * 4);
                Buffer bias = device.createBuffer(SIZE * 4)) {
            x.host().copyFrom(ones(arena, dtype, ROWS * SIZE));
            bias.host().copyFrom(MemorySegment.ofArray(floats(SIZE, 2)));
            gemm.enqueue(
                    y,
                    x,
                    weights,
                    hasBias ? bias : null,
                    rows,
                    SIZE,
                    SIZE,
                    DType.F32,
                    dtype,
                    stream);
            stream.synchronize();
            return y.host().get(ValueLayout.JAVA_FLOAT, 0);
        }
    }

    private static MemorySegment ones(Arena arena, DType dtype, int elements) {
        return dtype == DType.F32
                ? arena.allocateFrom(ValueLayout.JAVA_FLOAT, floats(elements, 1))
                : arena.allocateFrom(ValueLayout.JAVA_SHORT, bf16Ones(elements));
    }

    private static float[] floats(int elements, float value) {
        float[] values = new float[elements];
        Arrays.fill(values, value);
        return values;
    }

    private static short[] bf16Ones(int elements) {
        short[] values = new short[elements];
        Arrays.fill(values, (short) 0x3f80);
        return values;
    }

    @Test
    void asksTheVendorForManyRowsOfBf16WithoutBiasAlone() {
        Fake vendor = new Fake();
        assertEquals(0, linear(vendor, 64, DType.BF16, false));
        assertEquals(List.of(64L), vendor.rows);
        assertTrue(vendor.isClosed);
        assertEquals(SIZE, linear(vendor, 63, DType.BF16, false));
        assertEquals(SIZE + 2, linear(vendor, 64, DType.BF16, true));
        assertEquals(SIZE, linear(vendor, 64, DType.F32, false));
        assertEquals(List.of(64L), vendor.rows);
    }

    @Test
    void servesItselfWhatTheVendorLeaves() {
        Fake vendor = new Fake();
        vendor.serves = false;
        assertEquals(SIZE, linear(vendor, 65, DType.BF16, false));
        assertEquals(List.of(65L), vendor.rows);
    }

    @ParameterizedTest
    @CsvSource({
        "cpu,true,false",
        "cpu,false,false",
        "simt:0,true,false",
        "simt:0,false,false",
        "cuda:0,true,false",
        "cuda:1,false,true"
    })
    void onlyAGpuWhoseBitsMayDependOnTheBatchUsesAVendor(
            String device, boolean isDeterministic, boolean expected) {
        assertEquals(expected, DenseGemm.mayUseVendor(device, isDeterministic));
    }

    /** Files that are libraries, and not NVIDIA's. */
    private void putOtherLibraries() throws IOException {
        Path folder = Files.createDirectories(root.resolve("usr/local/cuda/lib64"));
        Path some = NativeLibrary.load();
        for (String name : List.of("libcudart.so.13", "libcublasLt.so.13", "libcublas.so.13")) {
            Files.copy(some, folder.resolve(name));
        }
    }

    @ParameterizedTest
    @ValueSource(booleans = {false, true})
    void doesWithoutAVendorWhoseLibrariesAreMissingOrWrong(boolean areThere) throws IOException {
        if (areThere) {
            putOtherLibraries();
        }
        try (Device device = Device.open("cpu", 1, "auto")) {
            assertNull(DenseGemm.openVendor(device, new VendorLibraries(null, Map.of(), root)));
        }
    }

    /** Sees our classes and the JDK's, and not those of the presets. */
    private static final class WithoutPresets extends ClassLoader {
        WithoutPresets() {
            super(ClassLoader.getPlatformClassLoader());
        }

        @Override
        protected Class<?> findClass(String name) throws ClassNotFoundException {
            String file = name.replace('.', '/') + ".class";
            if (!name.startsWith("io.cortado.")) {
                throw new ClassNotFoundException(name);
            }
            try (InputStream in = DenseGemmTest.class.getClassLoader().getResourceAsStream(file)) {
                if (in == null) {
                    throw new ClassNotFoundException(name);
                }
                byte[] bytes = in.readAllBytes();
                return defineClass(name, bytes, 0, bytes.length);
            } catch (IOException e) {
                throw new ClassNotFoundException(name, e);
            }
        }
    }

    @Test
    void doesWithoutAVendorWhereThePresetsAreNotOnTheClassPath() throws Exception {
        putOtherLibraries();
        ClassLoader without = new WithoutPresets();
        Class<?> ours = without.loadClass(DenseGemm.class.getName());
        Class<?> found = without.loadClass(VendorLibraries.class.getName());
        Constructor<?> make = found.getDeclaredConstructor(String.class, Map.class, Path.class);
        make.setAccessible(true);
        Method open =
                ours.getDeclaredMethod(
                        "openVendor", without.loadClass(Device.class.getName()), found);
        open.setAccessible(true);
        assertNull(open.invoke(null, null, make.newInstance(null, Map.of(), root)));
        assertFalse(ours == DenseGemm.class);
        assertInstanceOf(WithoutPresets.class, ours.getClassLoader());
    }
}
