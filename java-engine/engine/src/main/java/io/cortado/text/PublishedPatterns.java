package io.cortado.text;

/** The split patterns that models publish, as their {@code tokenizer.json} or code spells them. */
final class PublishedPatterns {
    static final String GPT2 =
            "'s|'t|'re|'ve|'m|'ll|'d| ?\\p{L}+| ?\\p{N}+| ?[^\\s\\p{L}\\p{N}]+|\\s+(?!\\S)|\\s+";

    private static final String CONTRACTIONS = "(?i:'s|'t|'re|'ve|'m|'ll|'d)";
    private static final String SPACES = "\\s+(?!\\S)|\\s+";
    private static final String OTHERS = "| ?[^\\s\\p{L}\\p{N}]+[\\r\\n]*|\\s*[\\r\\n]+|" + SPACES;
    private static final String WORDS = "[^\\r\\n\\p{L}\\p{N}]?\\p{L}+|";

    /** cl100k as Llama 3, OLMo 2 and GLM-4 publish it: up to three digits. */
    static final String LLAMA3 = CONTRACTIONS + "|" + WORDS + "\\p{N}{1,3}" + OTHERS;

    /** One digit. */
    static final String QWEN2 = CONTRACTIONS + "|" + WORDS + "\\p{N}" + OTHERS;

    /** Marks belong to words. */
    static final String QWEN35 =
            QWEN2.replace("?\\p{L}+", "?[\\p{L}\\p{M}]+")
                    .replace("\\s\\p{L}\\p{N}", "\\s\\p{L}\\p{M}\\p{N}");

    /** Any number of digits: MiniCPM 5 cuts them before. */
    static final String MINICPM5 = CONTRACTIONS + "|" + WORDS + "\\p{N}+" + OTHERS;

    /** Qwen's without the English contractions. */
    static final String UFAKZEKA = WORDS + "\\p{N}" + OTHERS;

    static final String SEED_CODER =
            CONTRACTIONS
                    + "|"
                    + WORDS
                    + "\\p{N}{1}| ?[^\\s\\p{L}\\p{N}\\r\\n]+|\\s*[\\r\\n]+|"
                    + SPACES;

    /** Ling (bailingmoe) and LLaDA: cl100k as tiktoken spells it, with one digit. */
    static final String BAILING =
            "'(?i:[sdmt]|ll|ve|re)|[^\\r\\n\\p{L}\\p{N}]?+\\p{L}+|\\p{N}| ?[^\\s\\p{L}\\p{N}]++[\\r\\n]*"
                    + "|\\s*[\\r\\n]|"
                    + SPACES;

    private static final String UPPER = "[\\p{Lu}\\p{Lt}\\p{Lm}\\p{Lo}\\p{M}]";
    private static final String LOWER = "[\\p{Ll}\\p{Lm}\\p{Lo}\\p{M}]";

    /** GPT-4o, gpt-oss, Llama 4. */
    static final String O200K = cased(UPPER, LOWER, CONTRACTIONS + "?", "\\p{N}{1,3}", "/");

    static final String TEKKEN = cased(UPPER, LOWER, "", "\\p{N}", "/");

    static final String KIMI =
            "[\\p{Han}]+|"
                    + cased(
                            UPPER.replace("]", "&&[^\\p{Han}]]"),
                            LOWER.replace("]", "&&[^\\p{Han}]]"),
                            CONTRACTIONS + "?",
                            "\\p{N}{1,3}",
                            "");

    /** DeepSeek's three steps are cut one after the other. */
    static final String DIGITS_UP_TO_3 = "\\p{N}{1,3}";

    static final String DEEPSEEK_CJK = "[一-龥぀-ゟ゠-ヿ]+";
    static final String DEEPSEEK3 =
            "[!\"#$%&'()*+,\\-./:;<=>?@\\[\\\\\\]^_`{|}~][A-Za-z]+|[^\r\n\\p{L}\\p{P}\\p{S}]?[\\p{L}\\p{M}]+| ?[\\p{P}\\p{S}]+[\r\n]*"
                    + "|\\s*[\r\n]+|"
                    + SPACES;

    /** DeepSeek LLM and Coder V2: the cased letters of Unicode 12, one by one. */
    static final String DEEPSEEK_LLM_WORDS =
            "\\s?[A-Za-zµÀ-ÖØ-öø-ƺƼ-ƿǄ-ʓʕ-ʯͰ-ͳͶͷͻ-ͽͿΆΈ-ΊΌΎ-ΡΣ-ϵϷ-ҁҊ-ԯԱ-ՖႠ-ჅᎠ-Ᏽᏸ-ᏽᲐ-ᲺᲽ-Ჿᴀ-ᴫᵫ-ᵷᵹ"
                    + "-ᶚḀ-ἕἘ-Ἕἠ-ὅὈ-Ὅὐ-ὗὙὛὝὟ-ώᾀ-ᾴᾶ-ᾼιῂ-ῄῆ-ῌῐ-ΐῖ-Ίῠ-Ῥῲ-ῴῶ-ῼℂℇℊ-ℓℕℙ-ℝℤΩℨK-ℭℯ-ℴℹℼ-ℿⅅ-ⅉⅎↃↄⰀ"
                    + "-ⱻⱾ-ⳤⳫ-ⳮⳲⳳꙀ-ꙭꚀ-ꚛꜢ-ꝯꝱ-ꞇꞋ-ꞎꭰ-ꮿﬀ-ﬆﬓ-ﬗＡ-Ｚａ-ｚ𐐀-𐑏𐒰-𐓓𐓘-𐓻𐲀-𐲲𐳀-𐳲𑢠-𑣟𞤀-𞥃]+";

    static final String DEEPSEEK_LLM_CJK = "[一-龥ࠀ-一가-퟿]+";

    static final String BLOOM = " ?[^(\\s|[.,!?…。，、।۔،])]+";

    private PublishedPatterns() {}

    private static String cased(
            String upper, String lower, String suffix, String digits, String afterOthers) {
        String head = "[^\\r\\n\\p{L}\\p{N}]?";
        return head
                + upper
                + "*"
                + lower
                + "+"
                + suffix
                + "|"
                + head
                + upper
                + "+"
                + lower
                + "*"
                + suffix
                + "|"
                + digits
                + "| ?[^\\s\\p{L}\\p{N}]+[\\r\\n"
                + afterOthers
                + "]*|\\s*[\\r\\n]+|"
                + SPACES;
    }
}
