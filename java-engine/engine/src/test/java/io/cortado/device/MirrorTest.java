package io.cortado.device;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.cortado.engine.Devices;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/** Bytes that go up and come down, where the host reaches the device's memory and where not. */
class MirrorTest {
    @ParameterizedTest
    @MethodSource("io.cortado.engine.Devices#all")
    void bringsAllSectionsUpAndDownInOneCopy(String name) {
        Devices.assumePresent(name);
        try (Device device = Device.open(name, 1, "auto");
                Mirror mirror = new Mirror(device, 12, 100, 64);
                Staging staging = new Staging(device);
                Stream stream = device.createStream()) {
            mirror.host(0).set(ValueLayout.JAVA_INT, 8, 7);
            mirror.host(2).set(ValueLayout.JAVA_INT, 0, 9);
            mirror.upload(2, 4, stream);
            stream.synchronize();
            assertEquals(7, staging.read(mirror.device(0), 12).get(ValueLayout.JAVA_INT, 8));
            assertEquals(9, staging.read(mirror.device(2), 4).get(ValueLayout.JAVA_INT, 0));
            Kernels.fill(mirror.device(1), 0, 100, 1, stream);
            mirror.download(1, 100, stream);
            stream.synchronize();
            assertEquals(1, mirror.host(1).get(ValueLayout.JAVA_BYTE, 99));
            assertEquals(7, mirror.host(0).get(ValueLayout.JAVA_INT, 8));
        }
    }

    @ParameterizedTest
    @MethodSource("io.cortado.engine.Devices#all")
    void aReplayedCopyReadsWhatWasWrittenSince(String name) {
        Devices.assumePresent(name);
        try (Device device = Device.open(name, 1, "auto");
                Mirror mirror = new Mirror(device, 64);
                Buffer to = device.createBuffer(64);
                Staging staging = new Staging(device);
                Stream stream = device.createStream()) {
            stream.beginCapture();
            mirror.upload(0, 64, stream);
            Kernels.copy(to, mirror.device(0), 0, 0, 64, stream);
            try (Graph graph = stream.endCapture()) {
                for (int value = 1; value <= 3; value++) {
                    mirror.host(0).set(ValueLayout.JAVA_INT, 60, value);
                    graph.launch(stream);
                    stream.synchronize();
                    assertEquals(value, staging.read(to, 64).get(ValueLayout.JAVA_INT, 60));
                }
            }
        }
    }

    @ParameterizedTest
    @MethodSource("io.cortado.engine.Devices#all")
    void feedsDrawnTokensWhereARowIsNamed(String name) {
        Devices.assumePresent(name);
        try (Device device = Device.open(name, 1, "auto");
                Staging staging = new Staging(device);
                Buffer ids = staging.create(12, b -> b.copyFrom(ints(5, 6, 7)));
                Buffer tokens = staging.create(8, b -> b.copyFrom(ints(40, 50)));
                Buffer rows = staging.create(12, b -> b.copyFrom(ints(1, -1, 2)));
                Stream stream = device.createStream()) {
            Kernels.feedTokens(ids, tokens, rows, 3, 2, stream);
            stream.synchronize();
            int[] got = staging.read(ids, 12).toArray(ValueLayout.JAVA_INT);
            assertEquals(50, got[0]);
            assertEquals(6, got[1]);
            assertEquals(-1, got[2], "a row that is not there");
        }
    }

    /** Within the device, out to the host and back: the blocks of a sequence that is swapped. */
    @ParameterizedTest
    @MethodSource("io.cortado.engine.Devices#all")
    void copiesBlocksByPairs(String name) {
        Devices.assumePresent(name);
        try (Device device = Device.open(name, 1, "auto");
                Staging staging = new Staging(device);
                Buffer cache = staging.create(48, b -> b.asSlice(16, 4).copyFrom(ints(7)));
                Buffer out = staging.create(8, b -> b.copyFrom(ints(1, 3)));
                Buffer in = staging.create(16, b -> b.copyFrom(ints(3, 2, 9, 0)));
                Buffer host = device.createHostBuffer(64);
                Stream stream = device.createStream()) {
            Kernels.copyBlocks(host, cache, out, 1, 16, stream);
            Kernels.copyBlocks(cache, host, in, 2, 16, stream);
            stream.synchronize();
            assertEquals(7, host.host().get(ValueLayout.JAVA_INT, 48));
            MemorySegment after = staging.read(cache, 48);
            assertEquals(0, after.get(ValueLayout.JAVA_INT, 0), "a block that is not there");
            assertEquals(7, after.get(ValueLayout.JAVA_INT, 16));
            assertEquals(7, after.get(ValueLayout.JAVA_INT, 32));
        }
    }

    private static MemorySegment ints(int... values) {
        return MemorySegment.ofArray(values);
    }

    @ParameterizedTest
    @MethodSource("io.cortado.engine.Devices#all")
    void memoryOfADeviceIsOutOfTheHostsReachUnlessItSaysOtherwise(String name) {
        Devices.assumePresent(name);
        try (Device device = Device.open(name, 1, "auto");
                Buffer buffer = device.createBuffer(64);
                Buffer host = device.createHostBuffer(64)) {
            assertEquals(64, host.host().byteSize());
            if (device.hostReachesMemory()) {
                assertEquals(64, buffer.host().byteSize());
            } else {
                NativeException e = assertThrows(NativeException.class, buffer::host);
                assertEquals(Status.UNSUPPORTED, e.status());
            }
        }
    }

    @ParameterizedTest
    @MethodSource("io.cortado.engine.Devices#all")
    void anInjectedFaultStaysAndEverythingStillCloses(String name) {
        Devices.assumePresent(name);
        Device device = Device.open(name, 1, "auto");
        Buffer buffer = device.createBuffer(64);
        device.injectFault(2);
        Buffer second = device.createBuffer(64);
        for (int i = 0; i < 2; i++) {
            NativeException e = assertThrows(NativeException.class, () -> device.createBuffer(64));
            assertEquals(Status.DEVICE_LOST, e.status());
            assertTrue(String.valueOf(e.getMessage()).contains("fault"), e.toString());
        }
        second.close();
        buffer.close();
        device.close();
        assertTrue(device.isClosed());
    }
}
