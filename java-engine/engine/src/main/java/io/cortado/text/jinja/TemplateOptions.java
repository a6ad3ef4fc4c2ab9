package io.cortado.text.jinja;

import java.time.Clock;
import java.util.Set;

/**
 * How a template is compiled and rendered.
 *
 * @param trustedNames variables whose strings count as the template's own, such as {@code
 *     bos_token}
 * @param clock what {@code strftime_now} reads
 */
public record TemplateOptions(
        boolean trimBlocks,
        boolean lstripBlocks,
        boolean keepTrailingNewline,
        Set<String> trustedNames,
        Clock clock) {

    /** As Hugging Face transformers renders chat templates. */
    public static final TemplateOptions CHAT =
            new TemplateOptions(
                    true,
                    true,
                    false,
                    Set.of(
                            "bos_token",
                            "eos_token",
                            "pad_token",
                            "unk_token",
                            "sep_token",
                            "cls_token",
                            "mask_token",
                            "additional_special_tokens"),
                    Clock.systemDefaultZone());

    public TemplateOptions {
        trustedNames = Set.copyOf(trustedNames);
    }

    public TemplateOptions clock(Clock newClock) {
        return new TemplateOptions(
                trimBlocks, lstripBlocks, keepTrailingNewline, trustedNames, newClock);
    }

    public TemplateOptions blocks(
            boolean newTrimBlocks, boolean newLstripBlocks, boolean newKeepTrailingNewline) {
        return new TemplateOptions(
                newTrimBlocks, newLstripBlocks, newKeepTrailingNewline, trustedNames, clock);
    }
}
