"""Robot geometry: poses from joints where only joints are recorded, joints from poses where a robot shall follow."""
