package io.cortado.server.cli;

import static org.junit.jupiter.api.Assertions.assertEquals;

import io.cortado.api.EngineOptions;
import java.util.List;
import org.junit.jupiter.api.Test;
import picocli.CommandLine;

class FlagTextTest {

    @Test
    void givesTheSameFlagsAgain() {
        ServeCommand command = new ServeCommand();
        CommandLine line = new CommandLine(command);
        line.setCaseInsensitiveEnumValuesAllowed(true);
        line.parseArgs(
                "--threads",
                "3",
                "--port=9",
                "--no-enable-prefix-caching",
                "--deterministic=false",
                "--itl-target-ms=80",
                "--mask-wait-ms=12",
                "--scheduling-policy=FAIR",
                "--tenant-weights=a=2,b=1.5",
                "--kv-cache-memory-bytes",
                "64M");
        List<String> given = FlagText.given(command.spec);
        EngineOptions again = FlagText.parse(given).options();
        assertEquals(command.engineFlags.options(), again, given.toString());
        assertEquals(3, again.threads());
        assertEquals(false, again.prefixCaching());
        assertEquals(false, again.deterministic());
        assertEquals(1.5, again.tenantWeights().get("b"));
        assertEquals(80, again.itlTargetMs());
        assertEquals(12, again.maskWaitMs());
        assertEquals(8, given.size(), given.toString());
        assertEquals(5, FlagText.parse(List.of("--threads=3", "--threads=5")).threads);
        assertEquals(EngineOptions.defaults(), FlagText.parse(List.of()).options());
    }

    @Test
    void turnsPrefixCachingOnAndOff() {
        assertEquals(true, FlagText.parse(List.of("--enable-prefix-caching")).prefixCaching);
        assertEquals(false, FlagText.parse(List.of("--no-enable-prefix-caching")).prefixCaching);
        assertEquals(true, FlagText.parse(List.of()).prefixCaching);
    }
}
