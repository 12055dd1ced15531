"""Networks: functions of widths, one file each."""
