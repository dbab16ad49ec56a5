# SPDX-License-Identifier: MIT
# shellcheck shell=sh
# Sourced: what has to be on the system, and the package that brings it.

# A row: level | what is looked for | apt | dnf | pacman | zypper | what for.
# "-" where that family always has it, or does without. @PY@ is 3.11, 3.12...
package_table() {
    cat <<'ROWS'
build|program gcc|gcc|gcc|gcc|gcc|compiles the extension
build|header stdio.h|libc6-dev|glibc-devel|glibc|glibc-devel|C headers
build|program pkg-config|pkg-config|pkgconf-pkg-config|pkgconf|pkgconf-pkg-config|finds libdrm
build|pkg-config libdrm|libdrm-dev|libdrm-devel|libdrm|libdrm-devel|the extension talks to GPUs with it
build|library libudev.so.1|libudev1|systemd-libs|systemd-libs|libudev1|lists GPUs
build|python-module venv ensurepip|python@PY@-venv|python3|python|python3|makes .venv
build|python-header Python.h|python@PY@-dev|python3-devel|python|python3-devel|the extension is built against it
vm|program qemu-system-x86_64|qemu-system-x86|qemu-system-x86-core|qemu-system-x86|qemu-x86|the virtual machine
vm|static-program busybox|busybox-static|busybox|busybox|busybox-static|starts the machine's root file system
vm|program mount|mount|util-linux|util-linux|util-linux|mounts file systems in the machine
vm|program modprobe|kmod|kmod|kmod|kmod|loads DRM drivers
vm|program file|file|file|file|file|virtme-ng looks at kernels with it
vm|program strings|binutils|binutils|binutils|binutils|virtme-ng looks at kernels with it
vm|program bash|bash|bash|bash|bash|virtme-ng's init is written in it
vm|program make|make|make|make|make|builds the vkms driver
vm|program xz|xz-utils|-|-|-|unpacks the driver's source
vm|library libelf.so.1|libelf1|-|-|-|the kernel's build tools need it
formats|program groff|groff-base|groff|groff|groff|reads the man pages
formats|program mandoc|mandoc|mandoc|mandoc|mandoc|likewise
browser|program chromium|chromium|chromium|chromium|chromium|opens the pages that drmbench writes
browser|program chromedriver|chromium-driver|chromedriver|-|chromedriver|tells the browser what to do
fleet|program sshd|openssh-server|openssh-server|openssh|openssh-server|reaches the boards of the fleet's tests
fleet|program ssh|openssh-client|openssh-clients|openssh|openssh-clients|reaches boards
arm64|program qemu-system-aarch64|qemu-system-arm|qemu-system-aarch64-core|qemu-system-aarch64|qemu-arm|the arm64 machine
arm64|program dtc|device-tree-compiler|dtc|dtc|dtc|adds kirin to its device tree
arm64|program aarch64-linux-gnu-gcc|gcc-aarch64-linux-gnu|gcc-aarch64-linux-gnu|aarch64-linux-gnu-gcc|cross-aarch64-gcc14|compiles the extension and a module for it
arm64|file /usr/aarch64-linux-gnu/include/stdio.h|libc6-dev-arm64-cross|-|-|-|C headers for it
bench|program stress-ng|stress-ng|stress-ng|stress-ng|stress-ng|its fault stressor takes faults as well
bench|program perf|linux-perf|perf|perf|perf|perf bench mem mmap does, too
bench|program hyperfine|hyperfine|hyperfine|hyperfine|hyperfine|times the start of programs
ROWS
}

# Prints the number of the package column of this machine, 0 for none of them.
package_column() {
    family=
    if [ -r /etc/os-release ]; then
        # shellcheck source=/dev/null
        family=$(. /etc/os-release && echo "${ID:-} ${ID_LIKE:-}")
    fi
    case " $family " in
    *' debian '* | *' ubuntu '*) echo 3 ;;
    *' fedora '* | *' rhel '*) echo 4 ;;
    *' arch '*) echo 5 ;;
    *suse*) echo 6 ;;
    *) echo 0 ;;
    esac
}

install_command() {
    case $1 in
    3) echo 'apt-get install' ;;
    4) echo 'dnf install' ;;
    5) echo 'pacman -S' ;;
    6) echo 'zypper install' ;;
    *) echo 'install (Debian names)' ;;
    esac
}
