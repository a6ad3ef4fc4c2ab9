package io.cortado.bench.tokenizer;

import java.nio.charset.StandardCharsets;
import java.util.List;
import java.util.Random;

/** Text in many scripts, prose and code, made from a seed: no text of anybody. */
public final class MixedText {
    private static final String[] ENGLISH =
            words(
                    "the of and to in is that for it was on are as with his they at be this from have or by one had not but what"
                            + " all were when we there can an your which their said if do will each about how up out them then she many some"
                            + " so these would other into has more her two like him see time could no make than first been its who now people"
                            + " my made over did down only way find use may water long little very after words called just where most know"
                            + " get through back much before go good new write our used me man too any day same right look think also around"
                            + " another came come work three word must because does part even place well such here take why things help put"
                            + " years different away again off went old number great tell men say small every found still between name should"
                            + " home big give air line set own under read last never us left end along while might next sound below saw"
                            + " something thought both few those always looked show large often together asked house world going want school"
                            + " important until form food keep children feet land side without boy once animals life enough took sometimes"
                            + " four head above kind began almost live page got earth need far hand high year mother light parts country"
                            + " father let night following picture being study second eyes soon times story boys since white days ever paper"
                            + " hard near sentence better best across during today others however sure means knew try told young miles sun"
                            + " ways thing whole hear example heard several change answer room sea against top turned learn point city play"
                            + " toward five using himself usually memory scheduler request latency throughput kernel attention performance");
    private static final List<String[]> OTHERS =
            List.of(
                    words(
                            "der die und in den von zu das mit sich des auf für ist im dem nicht ein eine als auch es an werden aus"
                                    + " er hat dass sie nach wird bei einer um am sind noch wie einem über einen Geschwindigkeit Übersetzung"),
                    words(
                            "de la le et les des en un du une que est pour qui dans a par plus pas au sur ne se ce il sont été avec"
                                    + " aux mais comme ou si leur d'une l'été où très même années première développement"),
                    words(
                            "и в не на я быть он с что а по это она этот к но они мы весь который из у то за свой что весь год от"
                                    + " так о для ты же все тот мочь вы человек такой его сказать скорость память"),
                    words(
                            "και το να η της του με που από για την είναι στο δεν τα οι των ένα τον στη θα μας αυτό πολύ όταν χρόνος"),
                    words(
                            "في من على أن إلى عن التي كان هذا ما لا هو مع بعد كل قال هذه الذي بين أو ذلك غير قبل حتى كما العمل"),
                    words(
                            "के है में की से और का को पर यह कि एक ने भी हैं था कर नहीं तो हो लिए या समय स्मृति"),
                    words("그 이 있다 하는 것을 수 나는 우리 그리고 사람 때 없다 같은 말을 에서 으로 한국어 문장을 빠르게"));
    private static final String HAN =
            "的一是不了在人有我他这个们中来上大为和国地到以说时要就出会可也你对生能而子那得于着下自之年过发后作里用道行所然家种事成方多经么去法学如都同现当没动面起看定天分还进好小部其些主样理心她本前开但因只从想实日军者意无力它与长把机十民第公此已工使情明性知全三又关点正业外将两高间由问很最重并物手应";
    private static final String KANA = "のにはをたがでてとしれさあいうえおかきくけこ東京日本語時間高速計算";
    private static final String SYLLABLES =
            "ba be bi ko ka mo no ra ri su ta ti ver lin gan or en al is tor pha dex";

    private final Random random;
    private final StringBuilder out = new StringBuilder();

    private MixedText(long seed) {
        random = new Random(seed);
    }

    /** A text of at least so many bytes of UTF-8; equal for equal seeds. */
    public static String ofBytes(int bytes, long seed) {
        var text = new MixedText(seed);
        int size = 0;
        while (size < bytes) {
            int from = text.out.length();
            text.paragraph();
            size += text.out.substring(from).getBytes(StandardCharsets.UTF_8).length;
        }
        return text.out.toString();
    }

    /** Letters without a space, an end or a digit. */
    public static String withoutSpaces(int chars, long seed) {
        var random = new Random(seed);
        return random.ints(chars, 'a', 'z' + 1)
                .collect(StringBuilder::new, StringBuilder::appendCodePoint, StringBuilder::append)
                .toString();
    }

    private static String[] words(String list) {
        return list.split(" ");
    }

    private void paragraph() {
        int kind = random.nextInt(100);
        if (kind < 55) {
            prose(ENGLISH);
        } else if (kind < 75) {
            code();
        } else if (kind < 90) {
            prose(OTHERS.get(random.nextInt(OTHERS.size())));
        } else {
            unspaced(random.nextBoolean() ? HAN : KANA);
        }
    }

    private void prose(String[] words) {
        for (int sentence = 2 + random.nextInt(5); sentence > 0; sentence--) {
            int n = 5 + random.nextInt(16);
            for (int i = 0; i < n; i++) {
                String word = random.nextInt(12) == 0 ? rareWord() : words[zipf(words.length)];
                out.append(
                        i == 0 ? Character.toUpperCase(word.charAt(0)) + word.substring(1) : word);
                out.append(i == n - 1 ? ". " : random.nextInt(12) == 0 ? ", " : " ");
                if (random.nextInt(40) == 0) {
                    out.append(random.nextInt(3000)).append(' ');
                }
            }
        }
        out.append(random.nextInt(30) == 0 ? "🙂\n\n" : "\n\n");
    }

    private void code() {
        for (int line = 4 + random.nextInt(12); line > 0; line--) {
            out.append("    ".repeat(random.nextInt(4)));
            String name = ENGLISH[zipf(ENGLISH.length)] + "_" + rareWord();
            switch (random.nextInt(5)) {
                case 0 ->
                        out.append("if (")
                                .append(name)
                                .append(" == ")
                                .append(random.nextInt(100))
                                .append(") {");
                case 1 ->
                        out.append("int ")
                                .append(name)
                                .append(" = buffer[i + 1] * 0x")
                                .append(Integer.toHexString(random.nextInt()))
                                .append(';');
                case 2 ->
                        out.append("// ")
                                .append(rareWord())
                                .append(' ')
                                .append(ENGLISH[zipf(ENGLISH.length)]);
                case 3 -> out.append("return this.").append(name).append("().map(x -> x.value());");
                default ->
                        out.append("\"")
                                .append(name)
                                .append("\": [")
                                .append(random.nextDouble())
                                .append(", null],");
            }
            out.append('\n');
        }
        out.append('\n');
    }

    private void unspaced(String characters) {
        for (int n = 30 + random.nextInt(120); n > 0; n--) {
            out.append(characters.charAt(zipf(characters.length())));
            if (random.nextInt(15) == 0) {
                out.append(random.nextInt(3) == 0 ? "。" : "，");
            }
        }
        out.append('\n');
    }

    private String rareWord() {
        String[] syllables = SYLLABLES.split(" ");
        var word = new StringBuilder();
        for (int n = 2 + random.nextInt(3); n > 0; n--) {
            word.append(syllables[random.nextInt(syllables.length)]);
        }
        return word.toString();
    }

    /** A number below {@code n}; the small ones are frequent, as words are by rank. */
    private int zipf(int n) {
        return (int) Math.min(n - 1, Math.pow(n + 1, random.nextDouble()) - 1);
    }
}
