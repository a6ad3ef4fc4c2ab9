package io.cortado.gang;

import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.DirectoryNotEmptyException;
import java.nio.file.DirectoryStream;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.HexFormat;
import java.util.List;
import java.util.Set;
import org.jspecify.annotations.Nullable;

/**
 * Ranks meet in a folder. Rank 0 makes a folder for this run in it and writes its name to the file
 * {@code run}; the others put their hello there, again whenever the name changes, and take an
 * answer only if it repeats their nonce. So what an earlier gang has left misleads nobody. All
 * files appear whole, by a rename.
 */
final class FolderMeeting implements Meeting {
    private static final String RUN = "run";
    private static final String GANG = "gang-";
    private static final String HELLO = "hello-";
    private static final String ANSWER = "answer";
    private static final long PAUSE_MILLIS = 5;
    private static final int MAX_ANSWER_BYTES = 1 << 25;

    private final Path folder;
    private @Nullable Path own;

    FolderMeeting(Path folder) {
        this.folder = folder;
    }

    @Override
    public List<byte[]> meet(Hello mine, long until) {
        try {
            Files.createDirectories(folder);
            return mine.rank() == 0 ? gather(mine, until) : join(mine, until);
        } catch (IOException e) {
            throw Meeting.failed("the rendezvous in " + folder + " has failed", e);
        } catch (InterruptedException e) {
            throw Meeting.interrupted(e);
        }
    }

    // ---- rank 0

    private List<byte[]> gather(Hello mine, long until) throws IOException, InterruptedException {
        String name = GANG + HexFormat.of().toHexDigits(mine.nonce());
        clear();
        Path gang = Files.createDirectory(folder.resolve(name));
        own = gang;
        write(folder.resolve(RUN), name.getBytes(StandardCharsets.US_ASCII));
        Roster roster = new Roster(mine);
        Set<Path> seen = new HashSet<>();
        try {
            while (true) {
                if (!name.equals(currentRun())) {
                    throw takenOver();
                }
                addNew(roster, gang, seen);
                if (roster.isComplete()) {
                    break;
                }
                if (System.nanoTime() - until > 0) {
                    throw roster.incomplete(folder.toString(), "");
                }
                Thread.sleep(PAUSE_MILLIS);
            }
        } catch (NoSuchFileException e) {
            throw takenOver();
        } catch (GangException e) {
            refuse(roster, gang, seen, e);
            throw e;
        }
        Answer answer = roster.gang();
        write(gang.resolve(ANSWER), answer.encode());
        return answer.unwrap();
    }

    private GangException takenOver() {
        return new GangException(
                GangException.Kind.MISMATCH,
                "another process with RANK=0 has taken over " + folder);
    }

    /** Tells all that have come, and those that come a little later. */
    private static void refuse(Roster roster, Path gang, Set<Path> seen, GangException why)
            throws IOException, InterruptedException {
        long until = System.nanoTime() + LINGER_NANOS;
        boolean stays = why.kind() != GangException.Kind.DEADLINE;
        try {
            write(gang.resolve(ANSWER), roster.refusal(why).encode());
            while (stays && !roster.isFull() && System.nanoTime() - until < 0) {
                Thread.sleep(PAUSE_MILLIS);
                for (Path file : unseen(gang, seen)) {
                    seen.add(file);
                    roster.addLate(decodeHello(file));
                    write(gang.resolve(ANSWER), roster.refusal(why).encode());
                }
            }
        } catch (NoSuchFileException e) { // another rank 0 has cleared it away: nobody looks here
            seen.clear();
        }
    }

    private static void addNew(Roster roster, Path gang, Set<Path> seen) throws IOException {
        for (Path file : unseen(gang, seen)) {
            seen.add(file);
            roster.add(decodeHello(file));
        }
    }

    private static List<Path> unseen(Path gang, Set<Path> seen) throws IOException {
        List<Path> files = new ArrayList<>();
        try (DirectoryStream<Path> hellos = Files.newDirectoryStream(gang, HELLO + "*")) {
            for (Path file : hellos) {
                if (!seen.contains(file)) {
                    files.add(file);
                }
            }
        }
        return files;
    }

    private static Hello decodeHello(Path file) throws IOException {
        try {
            return Hello.decode(Files.readAllBytes(file));
        } catch (IOException e) {
            throw new GangException(
                    GangException.Kind.MISMATCH, file + " is no rank's: " + e.getMessage(), e);
        }
    }

    /** Removes what earlier gangs have left. */
    private void clear() throws IOException {
        Files.deleteIfExists(folder.resolve(RUN));
        try (DirectoryStream<Path> gangs = Files.newDirectoryStream(folder, GANG + "*")) {
            for (Path gang : gangs) {
                remove(gang);
            }
        }
    }

    private static void remove(Path gang) throws IOException {
        while (!isRemoved(gang)) {
            Thread.onSpinWait();
        }
    }

    /** False if a rank that had read the run's name before has come meanwhile. */
    private static boolean isRemoved(Path gang) throws IOException {
        try (DirectoryStream<Path> files = Files.newDirectoryStream(gang)) {
            for (Path file : files) {
                Files.deleteIfExists(file);
            }
            Files.deleteIfExists(gang);
        } catch (DirectoryNotEmptyException e) {
            return false;
        } catch (NoSuchFileException e) { // by another rank 0
            return true;
        }
        return true;
    }

    @Override
    public void finish() {
        Path gang = own;
        if (gang == null) {
            return;
        }
        try {
            if (String.valueOf(gang.getFileName()).equals(currentRun())) {
                Files.deleteIfExists(folder.resolve(RUN));
            }
            remove(gang);
        } catch (IOException leftForTheNext) { // who begins with clear()
            own = null;
        }
    }

    // ---- the others

    private List<byte[]> join(Hello mine, long until) throws IOException, InterruptedException {
        String joined = "";
        while (true) {
            String run = currentRun();
            if (!run.isEmpty()) {
                Path gang = folder.resolve(run);
                joined = run.equals(joined) || !sayHello(mine, gang) ? joined : run;
                Answer answer = answerIn(gang);
                if (answer != null && answer.nonces().contains(mine.nonce())) {
                    return answer.unwrap();
                }
            }
            if (System.nanoTime() - until - GRACE_NANOS > 0) {
                throw new GangException(
                        GangException.Kind.DEADLINE,
                        "rank 0 did not come to %s in time, or did not answer rank %d"
                                .formatted(folder, mine.rank()));
            }
            Thread.sleep(PAUSE_MILLIS);
        }
    }

    /** False if the folder of the run is gone already. */
    private static boolean sayHello(Hello mine, Path gang) throws IOException {
        String name = HELLO + mine.rank() + "-" + HexFormat.of().toHexDigits(mine.nonce());
        try {
            write(gang.resolve(name), mine.encode());
            return true;
        } catch (NoSuchFileException e) {
            return false;
        }
    }

    private static @Nullable Answer answerIn(Path gang) throws IOException {
        Path file = gang.resolve(ANSWER);
        try {
            if (Files.size(file) > MAX_ANSWER_BYTES) {
                throw new IOException(file + " is too large");
            }
            return Answer.decode(Files.readAllBytes(file));
        } catch (NoSuchFileException e) {
            return null;
        }
    }

    /** The name of the folder of the run that rank 0 has begun; "": there is none. */
    private String currentRun() throws IOException {
        try {
            String name = Files.readString(folder.resolve(RUN));
            return name.matches(GANG + "[0-9a-f]{16}") ? name : "";
        } catch (NoSuchFileException e) {
            return "";
        }
    }

    private static void write(Path file, byte[] bytes) throws IOException {
        Path part = file.resolveSibling("." + file.getFileName() + ".part");
        Files.write(part, bytes);
        Files.move(part, file, StandardCopyOption.ATOMIC_MOVE, StandardCopyOption.REPLACE_EXISTING);
    }
}
