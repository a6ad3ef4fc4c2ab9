package io.cortado.api;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.stream.Collectors;

/**
 * A step from logits to what is drawn from, in the order of {@link #DEFAULT_ORDER}. Names and
 * letters are llama.cpp's ({@code --samplers}, {@code --sampling-seq}); those that it lacks have
 * capital letters.
 */
public enum SamplingStep {
    PENALTIES("penalties", 'e'),
    DRY("dry", 'd'),
    TEMPERATURE("temperature", 't'),
    MIN_P("min_p", 'm'),
    TOP_K("top_k", 'k'),
    TOP_P("top_p", 'p'),
    TYPICAL_P("typ_p", 'y'),
    TOP_N_SIGMA("top_n_sigma", 's'),
    EPSILON_CUTOFF("epsilon_cutoff", 'E'),
    ETA_CUTOFF("eta_cutoff", 'N'),
    TOP_H("top_h", 'H'),
    XTC("xtc", 'x');

    /** The order of a request that does not say. */
    public static final List<SamplingStep> DEFAULT_ORDER = List.of(values());

    /** Those that mirostat may stand beside. */
    public static final List<SamplingStep> BESIDE_MIROSTAT = List.of(PENALTIES, DRY, TEMPERATURE);

    private final String apiName;
    private final char letter;

    SamplingStep(String apiName, char letter) {
        this.apiName = apiName;
        this.letter = letter;
    }

    public String apiName() {
        return apiName;
    }

    /** The step of a name, or of one of the field's other spellings of it. */
    public static SamplingStep of(String name) {
        String known =
                switch (name) {
                    case "typical", "typical_p", "typ-p" -> TYPICAL_P.apiName;
                    case "temp" -> TEMPERATURE.apiName;
                    default -> name.replace('-', '_');
                };
        for (SamplingStep step : values()) {
            if (step.apiName.equals(known)) {
                return step;
            }
        }
        throw unknown(name.length() > 32 ? name.substring(0, 32) + "…" : name);
    }

    /** The steps of a string of letters, or of names with a semicolon or a comma between. */
    public static List<SamplingStep> parse(String text) {
        List<SamplingStep> steps = new ArrayList<>();
        if (text.length() <= DEFAULT_ORDER.size() && text.chars().allMatch(c -> isLetter(c))) {
            text.chars().forEach(c -> steps.add(ofLetter((char) c)));
        } else {
            for (String name : text.split("[;,]", DEFAULT_ORDER.size() + 2)) {
                steps.add(of(name.strip()));
            }
        }
        return steps;
    }

    private static boolean isLetter(int c) {
        return Arrays.stream(values()).anyMatch(step -> step.letter == c);
    }

    private static SamplingStep ofLetter(char letter) {
        return Arrays.stream(values())
                .filter(step -> step.letter == letter)
                .findFirst()
                .orElseThrow(() -> unknown(String.valueOf(letter)));
    }

    private static EngineException unknown(String what) {
        String all =
                Arrays.stream(values())
                        .map(step -> step.apiName + " (" + step.letter + ")")
                        .collect(Collectors.joining(", "));
        return EngineException.invalid(
                "sampler_order", "sampler_order must be made of " + all + ": sampler=" + what);
    }
}
