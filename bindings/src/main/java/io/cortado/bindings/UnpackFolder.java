package io.cortado.bindings;

import java.io.IOException;
import java.nio.file.AtomicMoveNotSupportedException;
import java.nio.file.FileAlreadyExistsException;
import java.nio.file.Files;
import java.nio.file.LinkOption;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.nio.file.attribute.PosixFileAttributes;
import java.nio.file.attribute.PosixFilePermission;
import java.nio.file.attribute.PosixFilePermissions;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.util.HexFormat;

/**
 * A private folder that libraries are unpacked to once. What others could have written is not
 * loaded: a folder or file that is a symbolic link, foreign-owned or writable by others is refused.
 *
 * @param root the folder {@code cortado} in the user's cache
 * @param uid who must own everything in it
 */
record UnpackFolder(Path root, int uid) {
    static UnpackFolder ofUser() throws IOException {
        String cache = System.getenv("XDG_CACHE_HOME");
        Path base =
                cache != null && Path.of(cache).isAbsolute()
                        ? Path.of(cache)
                        : Path.of(System.getProperty("user.home", "/nonexistent"), ".cache");
        Files.createDirectories(base);
        return new UnpackFolder(base.resolve("cortado"), ownUid());
    }

    /** A fresh file's owner: right also where the user has no name, as in many containers. */
    static int ownUid() throws IOException {
        Path probe = Files.createTempFile("cortado", ".uid");
        try {
            return uidOf(probe);
        } finally {
            Files.delete(probe);
        }
    }

    /** The file with these bytes, written now unless it is there already. */
    Path unpack(String name, byte[] bytes, String sha256) throws IOException {
        if (!sha256.equals(sha256Of(bytes))) {
            throw damaged(name);
        }
        Path folder = root.resolve(sha256);
        requirePrivateFolder(root);
        requirePrivateFolder(folder);
        return unpackInto(folder, name, bytes, sha256);
    }

    /** The same in the folder of a file that {@link #unpack} gave. */
    Path unpackBeside(Path file, String name, byte[] bytes, String sha256) throws IOException {
        if (!sha256.equals(sha256Of(bytes))) {
            throw damaged(name);
        }
        Path folder = root.resolve(file.getParent().getFileName());
        requirePrivateFolder(folder);
        return unpackInto(folder, name, bytes, sha256);
    }

    private static NativeLibraryException damaged(String name) {
        return new NativeLibraryException(
                name + " in the jar does not match its checksum: get the jar again");
    }

    private Path unpackInto(Path folder, String name, byte[] bytes, String sha256)
            throws IOException {
        Path file = folder.resolve(name);
        if (!isIntact(file, sha256)) {
            write(folder, file, bytes);
            if (!isIntact(file, sha256)) {
                throw new NativeLibraryException(
                        file + " changed while it was unpacked; expected sha256=" + sha256);
            }
        }
        return file;
    }

    private void requirePrivateFolder(Path folder) throws IOException {
        try {
            Files.createDirectory(
                    folder,
                    PosixFilePermissions.asFileAttribute(
                            PosixFilePermissions.fromString("rwx------")));
        } catch (FileAlreadyExistsException e) {
            if (!Files.isDirectory(folder, LinkOption.NOFOLLOW_LINKS)) {
                throw refused(folder, "is a symbolic link or not a folder");
            }
        }
        requireOursAlone(folder);
    }

    private boolean isIntact(Path file, String sha256) throws IOException {
        if (!Files.exists(file, LinkOption.NOFOLLOW_LINKS)) {
            return false;
        }
        if (!Files.isRegularFile(file, LinkOption.NOFOLLOW_LINKS)) {
            throw refused(file, "is a symbolic link or not a file");
        }
        requireOursAlone(file);
        return sha256.equals(sha256Of(Files.readAllBytes(file)));
    }

    private void requireOursAlone(Path path) throws IOException {
        int owner = uidOf(path);
        if (owner != uid) {
            throw refused(path, "belongs to uid " + owner + ", not to " + uid);
        }
        var permissions =
                Files.readAttributes(path, PosixFileAttributes.class, LinkOption.NOFOLLOW_LINKS)
                        .permissions();
        if (permissions.contains(PosixFilePermission.GROUP_WRITE)
                || permissions.contains(PosixFilePermission.OTHERS_WRITE)) {
            throw refused(
                    path, "is writable by others: " + PosixFilePermissions.toString(permissions));
        }
    }

    private static NativeLibraryException refused(Path path, String why) {
        return new NativeLibraryException(
                "refused to load a library from " + path + ": it " + why + "; remove it");
    }

    /** Renamed into place, so that two processes that start at once never see half a file. */
    private static void write(Path folder, Path file, byte[] bytes) throws IOException {
        Path fresh =
                Files.createTempFile(
                        folder,
                        "unpack",
                        ".tmp",
                        PosixFilePermissions.asFileAttribute(
                                PosixFilePermissions.fromString("rwx------")));
        try {
            Files.write(fresh, bytes);
            Files.move(fresh, file, StandardCopyOption.ATOMIC_MOVE);
        } catch (AtomicMoveNotSupportedException e) {
            throw new NativeLibraryException("cannot rename inside " + folder, e);
        } finally {
            Files.deleteIfExists(fresh);
        }
    }

    private static int uidOf(Path path) throws IOException {
        return (Integer) Files.getAttribute(path, "unix:uid", LinkOption.NOFOLLOW_LINKS);
    }

    static String sha256Of(byte[] bytes) {
        try {
            return HexFormat.of().formatHex(MessageDigest.getInstance("SHA-256").digest(bytes));
        } catch (NoSuchAlgorithmException e) {
            throw new IllegalStateException("every JDK has SHA-256", e);
        }
    }
}
