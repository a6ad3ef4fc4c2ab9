package io.cortado.device;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.cortado.engine.Devices;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class DeviceTest {
    @Test
    void tellsWhatItIs() {
        try (Device device = Device.open("cpu", 1, "scalar")) {
            assertEquals("cpu", device.info().name());
            assertEquals("scalar", device.info().isa());
            assertEquals(1, device.info().threads());
            assertTrue(device.info().totalMemoryBytes() > 0);
        }
    }

    @ParameterizedTest
    @ValueSource(
            strings = {
                "abacus", "", "cpu:0", "simt", "simt:1", "cuda", "cuda:", "cuda:x", "cuda:-1"
            })
    void anUnknownDeviceIsRefusedByNameAndToldWhatThereIs(String name) {
        var e = assertThrows(NativeException.class, () -> Device.open(name, 1, "auto"));
        assertEquals(Status.UNAVAILABLE, e.status());
        String message = String.valueOf(e.getMessage());
        assertTrue(message.contains("\"" + name + "\""), message);
        assertTrue(message.contains("\"cpu\", \"cuda:N\" and \"simt:0\""), message);
    }

    @Test
    void aGpuThatIsNotThereIsRefusedWithWhatIsMissing() {
        var e = assertThrows(NativeException.class, () -> Device.open("cuda:99", 1, "auto"));
        assertEquals(Status.UNAVAILABLE, e.status());
        String message = String.valueOf(e.getMessage());
        // Where nvcc was not there when this was built; without a driver; on a machine with GPUs.
        assertTrue(
                message.contains("libcortado_cuda.so")
                        || message.contains("no NVIDIA driver")
                        || message.contains("99"),
                message);
    }

    @Test
    void anInstructionSetIsRefusedByNameAndOnADeviceThatHasNone() {
        var e = assertThrows(IllegalArgumentException.class, () -> Device.open("cpu", 1, "mmx"));
        assertTrue(String.valueOf(e.getMessage()).contains("isa=mmx"), e.toString());
        Devices.assumePresent("simt:0");
        var refused = assertThrows(NativeException.class, () -> Device.open("simt:0", 1, "avx2"));
        assertEquals(Status.INVALID, refused.status());
        assertTrue(String.valueOf(refused.getMessage()).contains("isa=avx2"), refused.toString());
    }

    @Test
    void aDeviceInUseIsNotClosed() {
        Device device = Device.open("cpu", 1, "auto");
        Buffer buffer = device.createBuffer(64);
        var e = assertThrows(NativeException.class, device::close);
        assertEquals(Status.INVALID, e.status());
        assertFalse(device.isClosed());
        buffer.close();
        buffer.close();
        device.close();
        device.close();
        assertThrows(IllegalStateException.class, device::createStream);
    }

    @Test
    void bytesOfAClosedBufferAreOutOfReach() {
        try (Device device = Device.open("cpu", 1, "auto")) {
            Buffer buffer = device.createBuffer(64);
            MemorySegment host = buffer.host();
            buffer.close();
            assertThrows(IllegalStateException.class, () -> host.get(ValueLayout.JAVA_BYTE, 0));
            assertThrows(IllegalStateException.class, buffer::host);
        }
    }

    @Test
    void aGraphRepeatsWhatWasRecorded() {
        try (Device device = Device.open("cpu", 2, "auto");
                Buffer buffer = device.createBuffer(128);
                Buffer view = buffer.view(64, 64);
                Stream stream = device.createStream();
                Event event = device.createEvent()) {
            stream.beginCapture();
            Kernels.fill(view, 0, 64, 7, stream);
            try (Graph graph = stream.endCapture()) {
                assertEquals(0, buffer.host().get(ValueLayout.JAVA_BYTE, 64));
                graph.launch(stream);
                event.record(stream);
                assertTrue(event.await(10_000));
            }
            assertEquals(0, buffer.host().get(ValueLayout.JAVA_BYTE, 63));
            assertEquals(7, buffer.host().get(ValueLayout.JAVA_BYTE, 64));
        }
    }
}
