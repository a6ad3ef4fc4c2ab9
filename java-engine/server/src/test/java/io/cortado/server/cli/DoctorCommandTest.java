package io.cortado.server.cli;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.cortado.api.DeviceStatus;
import io.cortado.api.Engine;
import java.io.ByteArrayOutputStream;
import java.io.PrintStream;
import java.nio.charset.StandardCharsets;
import java.util.List;
import org.junit.jupiter.api.Test;

class DoctorCommandTest {

    private static List<String> doctor() {
        PrintStream before = System.out;
        ByteArrayOutputStream bytes = new ByteArrayOutputStream();
        System.setOut(new PrintStream(bytes, true, StandardCharsets.UTF_8));
        try {
            assertEquals(0, Main.run("doctor"), () -> bytes.toString(StandardCharsets.UTF_8));
        } finally {
            System.setOut(before);
        }
        return bytes.toString(StandardCharsets.UTF_8).lines().toList();
    }

    /** A device that is not there is named with what it lacks; that is no illness. */
    @Test
    void namesTheDevicesAndWhatTheMissingOnesLack() {
        List<String> lines = doctor();
        List<DeviceStatus> devices = Engine.devices();
        assertTrue(devices.stream().anyMatch(device -> device.name().equals("cuda:0")));
        for (DeviceStatus device : devices) {
            String state = device.isAvailable() ? "" : device.name() + " not available: ";
            assertTrue(lines.contains("device   " + state + device.text()), lines::toString);
            if (!device.isAvailable()) {
                assertTrue(
                        device.text().contains("libcuda.so.1")
                                || device.text().contains("libcortado_")
                                || device.text().contains("GPU"),
                        device::text);
            }
        }
        assertEquals("all well", lines.getLast());
    }
}
