package io.cortado.device;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import org.junit.jupiter.api.Test;

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

    @Test
    void anUnknownDeviceOrInstructionSetIsRefusedByName() {
        var e = assertThrows(NativeException.class, () -> Device.open("abacus", 1, "auto"));
        assertTrue(String.valueOf(e.getMessage()).contains("abacus"), e.toString());
        assertThrows(IllegalArgumentException.class, () -> Device.open("cpu", 1, "mmx"));
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
