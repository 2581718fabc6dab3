"""ROS 1 and ROS 2 recordings: bag, db3 and MCAP."""
