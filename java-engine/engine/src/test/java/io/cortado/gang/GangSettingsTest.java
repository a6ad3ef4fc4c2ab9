package io.cortado.gang;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.util.HashMap;
import java.util.Map;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

class GangSettingsTest {
    private static Map<String, String> environment(String rank, String size, String place) {
        return Map.of("RANK", rank, "WORLD_SIZE", size, "RENDEZVOUS", place);
    }

    @Test
    void readsTheThreeVariables() {
        GangSettings settings = GangSettings.of(environment("1", " 4 ", "host-0.svc:29500"));
        assertEquals(
                new GangSettings(1, 4, new GangSettings.Place.Port("host-0.svc", 29500)), settings);
    }

    @ParameterizedTest
    @CsvSource({"[::1]:80,::1,80", "10.0.0.1:1,10.0.0.1,1", "localhost:65535,localhost,65535"})
    void aPlaceWithAPortIsAPort(String value, String host, int port) {
        GangSettings.Place place = GangSettings.of(environment("0", "1", value)).place();
        assertEquals(new GangSettings.Place.Port(host, port), place);
        assertEquals(value, place.toString());
    }

    @ParameterizedTest
    @ValueSource(strings = {"/shared/gang", "./gang", "gang/", "/a:1/b"})
    void aPlaceWithASlashIsAFolder(String value) {
        assertEquals(
                new GangSettings.Place.Folder(value),
                GangSettings.of(environment("0", "1", value)).place());
    }

    @ParameterizedTest
    @CsvSource({
        "4,4,RANK=4 WORLD_SIZE=4",
        "-1,4,RANK=-1 WORLD_SIZE=4",
        "x,4,RANK=x",
        "0,0,WORLD_SIZE=0",
        "0,257,WORLD_SIZE=257",
        "0,1.5,WORLD_SIZE=1.5"
    })
    void wrongNumbersAreNamed(String rank, String size, String named) {
        var e =
                assertThrows(
                        IllegalArgumentException.class,
                        () -> GangSettings.of(environment(rank, size, "host:1")));
        assertTrue(String.valueOf(e.getMessage()).contains(named), e.getMessage());
    }

    @ParameterizedTest
    @ValueSource(
            strings = {"host", "host:", ":1", "host:0", "host:65536", "host:x", "::1:80", "[]:1"})
    void wrongPlacesAreNamed(String place) {
        var e =
                assertThrows(
                        IllegalArgumentException.class,
                        () -> GangSettings.of(environment("0", "1", place)));
        assertTrue(String.valueOf(e.getMessage()).endsWith("RENDEZVOUS=" + place), e.getMessage());
    }

    @ParameterizedTest
    @ValueSource(strings = {"RANK", "WORLD_SIZE", "RENDEZVOUS"})
    void whatIsMissingIsNamed(String name) {
        Map<String, String> environment = new HashMap<>(environment("0", "2", "host:1"));
        assertTrue(GangSettings.areIn(environment));
        environment.remove(name);
        assertTrue(GangSettings.areIn(environment));
        var e = assertThrows(IllegalArgumentException.class, () -> GangSettings.of(environment));
        assertTrue(String.valueOf(e.getMessage()).contains(name + " is not set"), e.getMessage());
        environment.put(name, " ");
        assertThrows(IllegalArgumentException.class, () -> GangSettings.of(environment));
        assertFalse(GangSettings.areIn(Map.of("PATH", "/bin")));
    }
}
