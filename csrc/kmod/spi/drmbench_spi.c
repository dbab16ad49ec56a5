// SPDX-License-Identifier: GPL-2.0-only
/*
 * An SPI bus with display panels on it that swallow everything.
 *
 * The panel drivers of drivers/gpu/drm/tiny bind to it as to the hardware: a
 * command or a frame is accepted at once and lost, a read answers zeros.
 */
#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt

#include <linux/module.h>
#include <linux/platform_device.h>
#include <linux/spi/spi.h>
#include <linux/string.h>
#include <linux/version.h>

#if LINUX_VERSION_CODE < KERNEL_VERSION(6, 5, 0)
#define spi_alloc_host spi_alloc_master
#endif

#define PANEL_CLOCK_HZ	10000000

static bool mi0283qt;
module_param(mi0283qt, bool, 0444);
MODULE_PARM_DESC(mi0283qt, "put a panel for the mi0283qt driver on the bus");

static bool ili9341;
module_param(ili9341, bool, 0444);
MODULE_PARM_DESC(ili9341, "put a panel for the ili9341 driver on the bus");

/* Chip select -> the name by which the panel's driver knows it. */
static const struct {
	const bool *wanted;
	const char *modalias;
} panels[] = {
	{ &mi0283qt, "mi0283qt" },
	{ &ili9341, "yx240qv29" },
};

static struct platform_device *parent;
static struct spi_controller *bus;

static int swallow_message(struct spi_controller *controller, struct spi_message *message)
{
	struct spi_transfer *transfer;

	list_for_each_entry(transfer, &message->transfers, transfer_list) {
		if (transfer->rx_buf)
			memset(transfer->rx_buf, 0, transfer->len);
		message->actual_length += transfer->len;
	}
	message->status = 0;
	spi_finalize_current_message(controller);
	return 0;
}

static int add_panel(unsigned int select)
{
	struct spi_board_info info = {
		.max_speed_hz = PANEL_CLOCK_HZ,
		.chip_select = select,
		.mode = SPI_MODE_0,
	};

	strscpy(info.modalias, panels[select].modalias, sizeof(info.modalias));
	return spi_new_device(bus, &info) ? 0 : -ENODEV;
}

static int register_bus(void)
{
	int ret;

	bus = spi_alloc_host(&parent->dev, 0);
	if (!bus)
		return -ENOMEM;
	bus->bus_num = -1;
	bus->num_chipselect = ARRAY_SIZE(panels);
	bus->mode_bits = SPI_MODE_X_MASK;
	bus->transfer_one_message = swallow_message;
	ret = spi_register_controller(bus);
	if (ret)
		spi_controller_put(bus);
	return ret;
}

static int __init spi_init(void)
{
	unsigned int select;
	int ret;

	parent = platform_device_register_simple("drmbench-spi", PLATFORM_DEVID_NONE, NULL, 0);
	if (IS_ERR(parent))
		return PTR_ERR(parent);
	ret = register_bus();
	if (ret)
		goto drop_parent;
	for (select = 0; select < ARRAY_SIZE(panels); select++) {
		if (!*panels[select].wanted)
			continue;
		ret = add_panel(select);
		if (ret) {
			pr_err("cannot add the panel %s\n", panels[select].modalias);
			goto drop_bus;
		}
	}
	return 0;

drop_bus:
	spi_unregister_controller(bus);
drop_parent:
	platform_device_unregister(parent);
	return ret;
}
module_init(spi_init);

static void __exit spi_exit(void)
{
	/* Takes the panels with it. */
	spi_unregister_controller(bus);
	platform_device_unregister(parent);
}
module_exit(spi_exit);

MODULE_DESCRIPTION("SPI bus whose display panels swallow every transfer");
MODULE_AUTHOR("The drmbench authors");
MODULE_LICENSE("GPL");
