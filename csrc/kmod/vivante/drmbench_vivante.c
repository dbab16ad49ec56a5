// SPDX-License-Identifier: GPL-2.0-only
/*
 * A Vivante GPU made of nothing but identity registers, for etnaviv.
 *
 * The register file is the expansion ROM of a PCI device, which the emulator
 * fills from a file (drmbench/vm/roms.py) and to which writes are lost. The
 * idle bits read as set for ever, so every poll of the driver ends at once; no
 * command is ever executed and no interrupt ever fires. What etnaviv finds
 * besides are a fixed clock and an interrupt line without a controller.
 */
#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt

#include <linux/clk-provider.h>
#include <linux/clkdev.h>
#include <linux/io.h>
#include <linux/ioport.h>
#include <linux/irq.h>
#include <linux/module.h>
#include <linux/pci.h>
#include <linux/platform_device.h>
#include <linux/sizes.h>

/* The platform driver binds by this name; the instance makes it ".0". */
#define CORE_NAME	"etnaviv-gpu,2d"
#define CORE_INSTANCE	CORE_NAME ".0"
#define CORE_CLOCK_HZ	500000000

#define REGISTERS_BYTES	SZ_4K
#define REG_IDLE_STATE	0x04
#define REG_CHIP_MODEL	0x20

static unsigned int vendor = 0x1b36;	/* QEMU's pci-testdev */
module_param(vendor, uint, 0444);
MODULE_PARM_DESC(vendor, "PCI vendor of the device whose ROM holds the registers");

static unsigned int device = 0x0005;
module_param(device, uint, 0444);
MODULE_PARM_DESC(device, "PCI device of the device whose ROM holds the registers");

static struct {
	struct pci_dev *pci;
	struct clk_hw *clk;
	struct clk_lookup *lookup;
	struct platform_device *core;
	struct platform_device *master;
	int irq;
} fake;

/* A ROM of zeros is no GPU: etnaviv would bind to it and fall over at open(). */
static int check_registers(phys_addr_t base)
{
	void __iomem *io = ioremap(base, REGISTERS_BYTES);
	u32 model, idle;

	if (!io)
		return -ENOMEM;
	model = readl(io + REG_CHIP_MODEL);
	idle = readl(io + REG_IDLE_STATE);
	iounmap(io);
	if (!model || model == U32_MAX || !idle) {
		pr_err("the ROM is no register file: model %#x, idle state %#x\n", model, idle);
		return -ENODEV;
	}
	pr_info("GC%x at %pa, registers are a ROM\n", model, &base);
	return 0;
}

static int map_rom(struct pci_dev *pci)
{
	struct resource *rom = &pci->resource[PCI_ROM_RESOURCE];
	int ret;

	if (resource_size(rom) < REGISTERS_BYTES) {
		pr_err("%s has no ROM of %u bytes\n", pci_name(pci), REGISTERS_BYTES);
		return -ENODEV;
	}
	if (!rom->parent) {
		ret = pci_assign_resource(pci, PCI_ROM_RESOURCE);
		if (ret)
			return ret;
	}
	ret = pci_enable_rom(pci);
	if (ret)
		return ret;
	ret = check_registers(rom->start);
	if (ret)
		pci_disable_rom(pci);
	return ret;
}

static int register_clock(void)
{
	int ret;

	fake.clk = clk_hw_register_fixed_rate(NULL, "drmbench-vivante", NULL, 0, CORE_CLOCK_HZ);
	if (IS_ERR(fake.clk))
		return PTR_ERR(fake.clk);
	fake.lookup = clkdev_hw_create(fake.clk, "core", CORE_INSTANCE);
	if (fake.lookup)
		return 0;
	ret = -ENOMEM;
	clk_hw_unregister_fixed_rate(fake.clk);
	return ret;
}

static void unregister_clock(void)
{
	clkdev_drop(fake.lookup);
	clk_hw_unregister_fixed_rate(fake.clk);
}

static int register_devices(phys_addr_t base)
{
	static const char * const names[] = { CORE_INSTANCE, NULL };
	const struct resource resources[] = {
		DEFINE_RES_MEM(base, REGISTERS_BYTES),
		DEFINE_RES_IRQ(fake.irq),
	};

	fake.core = platform_device_register_simple(CORE_NAME, 0, resources, ARRAY_SIZE(resources));
	if (IS_ERR(fake.core))
		return PTR_ERR(fake.core);
	/* The DRM device waits for the cores that its platform data names. */
	fake.master = platform_device_register_data(NULL, "etnaviv", PLATFORM_DEVID_NONE,
						    names, sizeof(names));
	if (!IS_ERR(fake.master))
		return 0;
	platform_device_unregister(fake.core);
	return PTR_ERR(fake.master);
}

static int __init vivante_init(void)
{
	int ret;

	fake.pci = pci_get_device(vendor, device, NULL);
	if (!fake.pci) {
		pr_err("no PCI device %04x:%04x\n", vendor, device);
		return -ENODEV;
	}
	ret = pci_enable_device(fake.pci);
	if (ret)
		goto put_pci;
	ret = map_rom(fake.pci);
	if (ret)
		goto disable_pci;
	/*
	 * Without an owner: etnaviv requests the line, which would keep us from being unloaded.
	 * Not line 0, which is free on arm64, and which the platform bus takes for none.
	 */
	fake.irq = __irq_alloc_descs(-1, 1, 1, NUMA_NO_NODE, NULL, NULL);
	if (fake.irq < 0) {
		ret = fake.irq;
		goto disable_rom;
	}
	/* Some architectures refuse requests for a fresh line. */
	irq_clear_status_flags(fake.irq, IRQ_NOREQUEST | IRQ_NOPROBE);
	irq_set_chip_and_handler(fake.irq, &dummy_irq_chip, handle_simple_irq);
	ret = register_clock();
	if (ret)
		goto free_irq;
	ret = register_devices(pci_resource_start(fake.pci, PCI_ROM_RESOURCE));
	if (ret)
		goto drop_clock;
	return 0;

drop_clock:
	unregister_clock();
free_irq:
	irq_free_desc(fake.irq);
disable_rom:
	pci_disable_rom(fake.pci);
disable_pci:
	pci_disable_device(fake.pci);
put_pci:
	pci_dev_put(fake.pci);
	return ret;
}
module_init(vivante_init);

static void __exit vivante_exit(void)
{
	platform_device_unregister(fake.master);
	platform_device_unregister(fake.core);
	unregister_clock();
	irq_free_desc(fake.irq);
	pci_disable_rom(fake.pci);
	pci_disable_device(fake.pci);
	pci_dev_put(fake.pci);
}
module_exit(vivante_exit);

MODULE_DESCRIPTION("Identity registers, clock and interrupt of a Vivante GPU that is not there");
MODULE_AUTHOR("The drmbench authors");
MODULE_LICENSE("GPL");
