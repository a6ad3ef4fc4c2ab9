package io.cortado.text.jinja;

import java.time.ZonedDateTime;
import java.time.format.DateTimeFormatter;
import java.time.format.TextStyle;
import java.time.temporal.ChronoField;
import java.time.temporal.IsoFields;
import java.util.Locale;

/** C's strftime in English, of a time that knows no zone: as Python's {@code datetime.now()} is. */
final class Strftime {
    private Strftime() {}

    static String format(String format, ZonedDateTime time) {
        var out = new StringBuilder();
        for (int i = 0; i < format.length(); i++) {
            char c = format.charAt(i);
            if (c != '%' || i + 1 >= format.length()) {
                out.append(c);
                continue;
            }
            char kind = format.charAt(++i);
            boolean unpadded = kind == '-' && i + 1 < format.length();
            if (unpadded) {
                kind = format.charAt(++i);
            }
            String text = conversion(kind, time);
            out.append(unpadded ? text.replaceFirst("^[0 ]+(?=\\d)", "") : text);
        }
        return out.toString();
    }

    private static String conversion(char kind, ZonedDateTime time) {
        int hour12 = time.get(ChronoField.CLOCK_HOUR_OF_AMPM);
        return switch (kind) {
            case 'Y' -> String.valueOf(time.getYear());
            case 'C' -> two(time.getYear() / 100, '0');
            case 'y' -> two(time.getYear() % 100, '0');
            case 'm' -> two(time.getMonthValue(), '0');
            case 'd' -> two(time.getDayOfMonth(), '0');
            case 'e' -> two(time.getDayOfMonth(), ' ');
            case 'H' -> two(time.getHour(), '0');
            case 'k' -> two(time.getHour(), ' ');
            case 'I' -> two(hour12, '0');
            case 'l' -> two(hour12, ' ');
            case 'M' -> two(time.getMinute(), '0');
            case 'S' -> two(time.getSecond(), '0');
            case 'f' -> time.format(DateTimeFormatter.ofPattern("SSSSSS", Locale.ROOT));
            case 'p' -> time.getHour() < 12 ? "AM" : "PM";
            case 'P' -> time.getHour() < 12 ? "am" : "pm";
            case 'A' -> time.getDayOfWeek().getDisplayName(TextStyle.FULL, Locale.US);
            case 'a' -> time.getDayOfWeek().getDisplayName(TextStyle.SHORT, Locale.US);
            case 'B' -> time.getMonth().getDisplayName(TextStyle.FULL, Locale.US);
            case 'b', 'h' -> time.getMonth().getDisplayName(TextStyle.SHORT, Locale.US);
            case 'j', 'u', 'w', 'U', 'W', 'V', 'G', 'g' -> ofYear(kind, time);
            case 's' -> String.valueOf(time.toEpochSecond());
            case 'z', 'Z' -> "";
            default -> composed(kind, time);
        };
    }

    private static String ofYear(char kind, ZonedDateTime time) {
        int day = time.getDayOfYear();
        int fromMonday = time.getDayOfWeek().getValue() - 1;
        int fromSunday = time.getDayOfWeek().getValue() % 7;
        int weekYear = time.get(IsoFields.WEEK_BASED_YEAR);
        return switch (kind) {
            case 'j' -> (day < 100 ? "0" : "") + two(day, '0');
            case 'u' -> String.valueOf(fromMonday + 1);
            case 'w' -> String.valueOf(fromSunday);
            case 'U' -> two((day + 6 - fromSunday) / 7, '0');
            case 'W' -> two((day + 6 - fromMonday) / 7, '0');
            case 'V' -> two(time.get(IsoFields.WEEK_OF_WEEK_BASED_YEAR), '0');
            case 'G' -> String.valueOf(weekYear);
            default -> two(weekYear % 100, '0');
        };
    }

    private static String composed(char kind, ZonedDateTime time) {
        return switch (kind) {
            case 'F' -> format("%Y-%m-%d", time);
            case 'T', 'X' -> format("%H:%M:%S", time);
            case 'R' -> format("%H:%M", time);
            case 'r' -> format("%I:%M:%S %p", time);
            case 'D', 'x' -> format("%m/%d/%y", time);
            case 'c' -> format("%a %b %e %H:%M:%S %Y", time);
            case 'n' -> "\n";
            case 't' -> "\t";
            case '%' -> "%";
            default -> "%" + kind;
        };
    }

    private static String two(int value, char pad) {
        return value < 10 ? pad + String.valueOf(value) : String.valueOf(value);
    }
}
