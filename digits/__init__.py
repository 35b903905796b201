"""What the stages are made of: file formats, images, networks, training, parameters."""
