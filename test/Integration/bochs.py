# ===- bochs.py - Run programs on a processor with AVX-512 ------------------===//
#
# Part of the Smelt project, under the Apache License v2.0 with LLVM Exceptions.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#
# ===----------------------------------------------------------------------===//
"""Boots Linux in Bochs, which emulates processors that this one is not.

`run` makes an image of a kernel, busybox, and the programs and files it is
given, runs a shell script in it, and returns what the script printed. It needs
the packages of utils/packages-bochs.txt and a kernel of Debian's.
"""
import os
import pty
import re
import select
import shutil
import subprocess
import time

# Ice Lake: AVX-512 with VNNI. Bochs 2.7 describes the state that XSAVE keeps of
# protection keys wrongly, and Linux doesn't boot with these either: pku, xsavec,
# xsaves, rdpid, umip, la57, fsrm, by their numbers.
MODEL = "corei7_icelake_u"
KERNEL_OPTIONS = ("console=ttyS0 mitigations=off nokaslr nopti panic=1 lsm= "
                  "apparmor=0 clearcpuid=515,321,323,534,514,528,580 "
                  "rdinit=/init")
LOADER = ("/usr/lib/ISOLINUX/isolinux.bin",
          "/usr/lib/syslinux/modules/bios/ldlinux.c32")
PROGRAMS = ("bochs-bin", "busybox", "cpio", "xorriso")
COMMANDS = ("echo", "mount", "poweroff", "sh", "sha256sum", "sleep")

CONFIGURATION = """\
cpu: model={model}, count=1, ips=100000000, reset_on_triple_fault=0, ignore_bad_msrs=1
memory: guest=1024, host=1024
romimage: file=/usr/share/bochs/BIOS-bochs-latest
vgaromimage: file=/usr/share/vgabios/vgabios.bin
ata0: enabled=1, ioaddr1=0x1f0, ioaddr2=0x3f0, irq=14
ata0-master: type=cdrom, path={image}, status=inserted
boot: cdrom
com1: enabled=1, mode=file, dev={serial}
log: {log}
panic: action=fatal
clock: sync=none
display_library: term
"""

BEGIN, END = "the script begins", "the script ends"
INIT = f"""#!/bin/sh
mount -t proc none /proc
mount -t sysfs none /sys
mount -t devtmpfs none /dev
echo 1 > /proc/sys/kernel/printk
exec >/dev/ttyS0 2>&1 </dev/null
echo "{BEGIN}"
cd /files
. /script
echo "{END}"
sleep 2  # until all of it is written
poweroff -f
"""


def whyNot(kernel):
    """What is missing, or nothing."""
    missing = [name for name in PROGRAMS if not shutil.which(name)]
    missing += [path for path in LOADER if not os.path.exists(path)]
    if not kernel or not os.path.exists(kernel):
        missing.append("a kernel")
    return ", ".join(missing)


def copyProgram(root, program):
    """A program and the libraries that it is linked with."""
    shutil.copy(program, os.path.join(root, "bin"))
    libraries = subprocess.run(["ldd", program], check=True, text=True,
                               stdout=subprocess.PIPE).stdout
    for library in re.findall(r"/\S+(?= \()", libraries):
        target = root + library
        os.makedirs(os.path.dirname(target), exist_ok=True)
        shutil.copy(library, target)


def makeImage(work, kernel, programs, files, script):
    root, disk = os.path.join(work, "root"), os.path.join(work, "disk")
    for folder in (work, root, disk):
        shutil.rmtree(folder, ignore_errors=True)
    for folder in ("bin", "dev", "files", "proc", "sys", "tmp"):
        os.makedirs(os.path.join(root, folder))
    os.makedirs(disk)
    shutil.copy(shutil.which("busybox"), os.path.join(root, "bin", "busybox"))
    for command in COMMANDS:
        os.symlink("busybox", os.path.join(root, "bin", command))
    for program in programs:
        copyProgram(root, program)
    for file in files:
        shutil.copy(file, os.path.join(root, "files"))
    for name, text in (("init", INIT), ("script", script)):
        with open(os.path.join(root, name), "w") as file:
            file.write(text)
        os.chmod(os.path.join(root, name), 0o755)
    names = subprocess.run(["find", "."], cwd=root, check=True,
                           stdout=subprocess.PIPE).stdout
    with open(os.path.join(disk, "initrd"), "wb") as file:
        subprocess.run(["cpio", "-o", "-H", "newc", "--quiet"], cwd=root,
                       check=True, input=names, stdout=file)
    shutil.copy(kernel, os.path.join(disk, "vmlinuz"))
    for file in LOADER:
        shutil.copy(file, disk)
    with open(os.path.join(disk, "isolinux.cfg"), "w") as file:
        file.write(f"default linux\nlabel linux\n kernel vmlinuz\n append "
                   f"initrd=initrd {KERNEL_OPTIONS}\n")
    image = os.path.join(work, "image.iso")
    subprocess.run(["xorriso", "-as", "mkisofs", "-quiet", "-o", image,
                    "-b", "isolinux.bin", "-c", "boot.cat", "-no-emul-boot",
                    "-boot-load-size", "4", "-boot-info-table", disk],
                   check=True, stderr=subprocess.DEVNULL)
    return image


def boot(configuration, seconds):
    """Runs Bochs, which wants a terminal, until it ends by itself."""
    child, terminal = pty.fork()
    if child == 0:
        os.environ["TERM"] = "xterm"
        os.execvp("bochs-bin", ["bochs-bin", "-q", "-f", configuration])
    os.write(terminal, b"c\n")  # continue, where Bochs begins in its debugger
    end = time.monotonic() + seconds
    try:
        while time.monotonic() < end:
            if select.select([terminal], [], [], 1)[0]:
                os.read(terminal, 65536)
    except OSError:  # the terminal is closed: Bochs has ended
        pass
    finally:
        try:
            os.kill(child, 9)
        except ProcessLookupError:
            pass
        os.waitpid(child, 0)


def run(work, kernel, programs, files, script, seconds=1800):
    """What `script` prints, in lines, with `programs` on its PATH and copies of
    `files` in its folder."""
    image = makeImage(work, kernel, programs, files, script)
    serial, log, configuration = (os.path.join(work, name) for name in
                                  ("serial.txt", "bochs.log", "bochsrc"))
    with open(configuration, "w") as file:
        file.write(CONFIGURATION.format(model=MODEL, image=image,
                                        serial=serial, log=log))
    boot(configuration, seconds)
    with open(serial, errors="replace") as file:
        lines = [line.strip() for line in file]
    if END not in lines:
        raise RuntimeError("the script didn't end; the last line is "
                           f"'{lines[-1] if lines else ''}' (see {serial})")
    return lines[lines.index(BEGIN) + 1:lines.index(END)]
